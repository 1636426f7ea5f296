"""Small networks as people write them in PyTorch, as archives of torch.export with references in f64.

    python reference/networks.py FOLDER          # those of archives/, which the tests read
    python reference/networks.py FOLDER others   # networks of torch, torchvision, timm and transformers

Writes NAME.pt2, as `torch.export.save` does of a network in f32, and NAME.safetensors: inputs, targets y, outputs, and
of the loss ½/n Σ (F − y)² gradient `g.PARAMETER` and Hessian product `h.PARAMETER` with v = cos 0, cos 1, … over the
parameters in PyTorch's order, all in f64. Needs torch, numpy and safetensors.
"""

import sys
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel

warnings.filterwarnings("ignore")


class Block(nn.Module):
    """He et al. 2016, section 3.3, with an in-place ReLU and sum as torchvision has them."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(Block(2, 3, 1), Block(3, 4, 2))
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.layers(x), 1).flatten(1))


class Vgg(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding="same"), nn.GroupNorm(2, 4), nn.ELU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.Hardswish(), nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(16, 3))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(2, 6, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 6) * 0.1)
        self.position = nn.Parameter(torch.randn(1, 5, 6) * 0.1)
        layer = lambda: nn.TransformerEncoderLayer(6, 2, 8, 0.0, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.ModuleList([layer(), layer()])
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Gpt(nn.Module):
    """Attention written out, with a mask as a buffer; the output's weights are those of the embedding."""

    def __init__(self, words=7, length=5, width=6, heads=2):
        super().__init__()
        self.wte = nn.Embedding(words, width)
        self.wpe = nn.Embedding(length, width)
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 12), nn.GELU(approximate="tanh"), nn.Linear(12, width))
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.wte.weight
        self.heads = heads
        self.register_buffer("mask", torch.tril(torch.ones(length, length)).view(1, 1, length, length))

    def forward(self, tokens):
        n, length = tokens.shape
        x = self.wte(tokens) + self.wpe(torch.arange(length, device=tokens.device))
        q, k, v = self.qkv(self.norm(x)).split(x.shape[-1], dim=2)
        q, k, v = (t.view(n, length, self.heads, -1).transpose(1, 2) for t in (q, k, v))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / k.size(-1) ** 0.5)
        scores = scores.masked_fill(self.mask[:, :, :length, :length] == 0, float("-inf"))
        y = (F.softmax(scores, dim=-1) @ v).transpose(1, 2).contiguous().view(n, length, -1)
        x = x + self.proj(y)
        x = x + self.mlp(x)
        return self.head(x)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.layers = kind(4, 3, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(6, 3)

    def forward(self, tokens):
        return self.head(self.layers(self.embedding(tokens))[0][:, -1])


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.InstanceNorm2d(3, affine=True), nn.SiLU())
        self.middle = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Mish(), nn.Upsample(scale_factor=2, mode="nearest"))
        self.up = nn.ConvTranspose2d(4, 3, 2, 2)
        self.out = nn.Conv2d(7, 1, 1)

    def forward(self, x):
        first = self.down(x)
        second = self.middle(first)
        third = self.up(F.max_pool2d(second, 2))
        return self.out(torch.cat([second, third], 1))


class Functions(nn.Module):
    """One of each elementwise function and reduction that others have not."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.weight = nn.Parameter(torch.randn(4, 6) * 0.4)
        self.prelu = nn.PReLU(6)
        self.frozen = nn.Parameter(torch.randn(6), requires_grad=False)
        self.bilinear = nn.Parameter(torch.randn(3, 6, 6) * 0.3)

    def forward(self, x):
        x = F.linear(x, self.weight.T) * self.scale + self.frozen
        parts = [
            torch.sin(x), torch.atan(x), torch.exp(-x * x), torch.log1p(x.abs()), torch.sqrt(x**2 + 1), x.sigmoid(),
            F.softplus(x), F.leaky_relu(x, 0.1), F.selu(x), F.celu(x, 0.5), F.hardtanh(x), F.relu6(x), self.prelu(x),
            F.logsigmoid(x), torch.clamp(x, -0.5, 0.8), torch.where(x > 0.1, x, 2 * x), torch.pow(x.abs() + 1, 1.5),
            torch.maximum(x, -x), torch.erf(x), x.softmax(-1), x.log_softmax(-1), F.glu(torch.cat([x, x.cos()], -1)),
            x / (1 + x.norm(dim=-1, keepdim=True)), x - x.mean(-1, keepdim=True), torch.cumsum(x, 1), x.flip(1),
            torch.roll(x, 2, 1), F.pad(x, (1, 1))[:, 2:], x[:, [3, 1, 0, 2, 5, 4]], torch.rsub(x, 1.0), 2.0**x,
        ]
        y = torch.stack([torch.cat([p, p.square()], 1)[:, :6] for p in parts], 1)
        z = torch.einsum("nki,oij->noj", y, self.bilinear).square().mean(2)
        rest = [y.var((1, 2)), y.std((1, 2), correction=0), y.logsumexp((1, 2)), y.amax((1, 2)), y.sum((1, 2))]
        return torch.cat([z, torch.stack(rest, 1)], 1)


class MoreFunctions(nn.Module):
    """Those that Functions has not: along an axis, by comparison, by place, in place."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 6) * 0.4)
        self.square = nn.Parameter(torch.randn(6, 6) * 0.3)
        self.vector = nn.Parameter(torch.randn(6) * 0.3)
        self.rnns = nn.ModuleList([nn.RNN(6, 6, nonlinearity=f, batch_first=True) for f in ("tanh", "relu")])

    def forward(self, x):
        n = x.shape[0]
        x = x @ self.weight
        y, half = x.sigmoid(), 0.5 * x.tanh()
        order, places = torch.sort(x, 1, descending=True)
        best, which = torch.topk(x, 3, 1)
        ones, counted = torch.ones_like(x), torch.arange(6, device=x.device)
        masked = torch.where((x >= 0.1) | (x < -0.2) & ~(y <= 0.5), x, y)
        copied = torch.slice_scatter(torch.select_scatter(x, y[:, 0], 1, 1), half[:, :2], 1, 2, 4)
        above = x.clone().gt_(0.1)  # ones and zeros, no conditions
        written = x.clone().fill_(0.3).add_(x).mul_(y)
        parts = [
            half.acos(), half.asin(), half.atanh(), (y + 1).acosh(), x.asinh(), half.tan(), half.sinh(), half.cosh(),
            y.log(), y.log2(), y.log10(), half.exp2(), half.expm1(), y.rsqrt(), (y + 0.5).reciprocal(),
            torch.atan2(x, y), torch.hypot(x, y), torch.lerp(x, y, 0.3), torch.lerp(x, y, half),
            torch.addcmul(x, y, half, value=0.7), torch.addcdiv(x, y, y + 1, value=0.4), torch.minimum(x, half),
            x * x.sign() + x.floor() * y + x.ceil() + x.round() + x.trunc(), F.threshold(x, 0.1, 0.2),
            x.clamp_min(0.05), x.clamp_max(0.1), x.clamp(min=half - 0.1, max=half + 0.1), order,
            x.gather(1, places),
            torch.cumprod(y, 1), torch.cat([best, x.gather(1, which)], 1), x * F.one_hot(which[:, 0], 6),
            x.index_select(1, counted.flip(0)), torch.nan_to_num(x / x.sign()), x.repeat(1, 2)[:, 3:9],
            x.repeat_interleave(2, dim=1)[:, :6], x * torch.outer(self.vector, self.vector).sum(0),
            x @ self.square.tril() + x @ self.square.triu(1),
            torch.mv(self.square, self.vector) * x, torch.addmv(self.vector, self.square, self.vector) * x,
            torch.dot(self.vector, self.vector) * x, torch.baddbmm(x[:, None], x[:, None], self.square.expand(n, 6, 6), beta=0.5)[:, 0],
            torch.diff(x, dim=1, prepend=y[:, :1]), x.unfold(1, 3, 1).mean(2).repeat(1, 2)[:, :6], copied, written,
            F.rms_norm(x, (6,), self.vector, 1e-6), torch.stack(x.unbind(1)[::-1], 1), torch.cat(x.chunk(3, 1)[::-1], 1),
            x.narrow(1, 1, 3).repeat(1, 2), masked, x * (which == 2).any(1, keepdim=True) + x * (x > -9).all(1, keepdim=True),
            x.new_full((n, 6), 0.2) * x + x.new_ones(6) * y, torch.eye(6, dtype=x.dtype, device=x.device) @ x[0] * y, x.view_as(y).reshape_as(y).type_as(y),
            x.movedim(0, 1).swapaxes(0, 1), torch.where(counted % 3 == 1, x, counted // 2 * y), x * (x.argmax(1, keepdim=True) + x.argmin(1, keepdim=True)),
            x.masked_fill(counted.fmod(4) == 2, 0.7), x * counted.masked_fill(counted > 2, 1), x * (above + above),
            torch.nan_to_num(torch.maximum((x - 9).log(), x), nan=0.5), x * torch.isnan((x - 9).log()),
            *(rnn(x.view(n, 1, 6))[0][:, 0] for rnn in self.rnns),
        ]
        rest = [x.amin(1), y.prod(1), x.max(1).values, x.min(1).values, *torch.var_mean(x, 1), x.norm(p=3, dim=1)]
        return torch.cat([torch.stack(parts, 1).square().mean(2), torch.stack(rest, 1)], 1)


class Kinks(nn.Module):
    """Where slopes jump: inputs are zeros and ties."""

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(6))

    def forward(self, x):
        x = x * self.one
        parts = [
            F.leaky_relu(x, 0.1), F.relu(x), F.elu(x), F.hardtanh(x), F.relu6(x), F.hardswish(x), F.prelu(x, x[0, 1:2]),
            F.softplus(x), x.abs(), x.clamp(-1, 1), F.threshold(x, 0.0, 0.0), F.silu(x), x * x.sign(), x.clamp_min(0.0),
            x.clamp(min=x.flip(1), max=x.flip(1) + 1), torch.where(x > 0, x, 2 * x),
            torch.maximum(x, -x), torch.minimum(x, x.flip(1)), F.selu(x), F.celu(x), F.mish(x),
        ]
        rest = [x.norm(p=1, dim=1), torch.linalg.vector_norm(x, torch.inf, 1), x.std(1), x.amax(1), x.amin(1)]
        return torch.cat([torch.stack(parts, 1).square().sum(2), torch.stack(rest, 1)], 1)


class Zeros(nn.Module):
    """Norms of zeros: their slope is zero, and PyTorch's second derivative no number."""

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(6))

    def forward(self, x):
        x = x * self.one
        return torch.cat([F.normalize(x), x.norm(dim=1, keepdim=True), x.std(1, keepdim=True)], 1)


class Signals(nn.Module):
    """Convolutions, pooling and padding along one, two and three axes; lengths as numbers."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv1d(2, 4, 3, 2, 1, groups=2)
        self.back = nn.ConvTranspose1d(4, 3, 3, 2, 1, 1)
        self.three = nn.Conv3d(1, 2, 2, bias=False)
        self.back3 = nn.ConvTranspose3d(2, 1, 2)
        self.two = nn.Conv2d(2, 4, 3, padding="same", padding_mode="reflect", dilation=1)

    def forward(self, x):
        n, channels, height, width = x.shape
        line = F.pad(x.flatten(2), (2, 1), mode="reflect")
        line = self.back(F.avg_pool1d(torch.tanh(self.one(line)), 2))
        line = F.max_pool1d(F.pad(line, (1, 1), mode="replicate"), 3, 2)
        cube = self.back3(torch.sin(self.three(x[:, None])))
        image = self.two(x)
        images = [
            F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)[..., 1::2],
            F.interpolate(image, scale_factor=2, mode="bicubic", align_corners=False)[..., ::2],
            F.interpolate(image, size=(8, 12), mode="bilinear", align_corners=True),
            F.pixel_shuffle(image, 2), F.adaptive_avg_pool2d(image, (3, 2)), F.adaptive_max_pool2d(image, 2),
            F.max_pool2d(F.pad(image, (1, 2, 0, 1), mode="replicate"), 3, 2, 1, ceil_mode=True),
            F.avg_pool2d(image, 3, 2, 1, ceil_mode=True), F.pad(image, (1, 1, 2, 1), value=0.3),
        ]
        scaled = image * (height // 2 + width % 3) * (x.numel() / (n * channels)) ** 0.5 / height
        parts = [line, cube, scaled, *images]
        return torch.stack([part.square().flatten(1).mean(1) for part in parts], 1)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(5, 3)
        self.numbers = nn.Linear(4, 3)
        self.both = nn.Bilinear(3, 3, 2)

    def forward(self, tokens, numbers):
        return self.numbers(numbers) @ self.words.weight.mT + (self.words(tokens).mean(1) ** 2).sum(-1, keepdim=True)


def tokens(n, length, words):
    return torch.randint(0, words, (n, length), generator=torch.Generator().manual_seed(3))


def ours():
    """(name, network, inputs, options)"""
    images = lambda *shape: (torch.randn(4, *shape, generator=torch.Generator().manual_seed(4)),)
    mlp = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.SiLU(), nn.LayerNorm(5), nn.Linear(5, 3))
    yield "mlp", mlp, images(4), {}
    yield "mlp-half", nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3)).half(), images(4), {"half": True}
    yield "resnet", ResNet(), images(2, 6, 6), {"modes": True}
    yield "resnet-decomposed", ResNet(), images(2, 6, 6), {"modes": True, "decompose": True}
    yield "vgg", Vgg(), images(2, 6, 6), {}
    yield "vit", Vit(), images(2, 8, 8), {}
    yield "vit-decomposed", Vit(), images(2, 8, 8), {"decompose": True}
    yield "gpt", Gpt(), (tokens(4, 5, 7),), {}
    yield "lstm", Recurrent(nn.LSTM), (tokens(4, 3, 7),), {}
    yield "gru", Recurrent(nn.GRU), (tokens(4, 3, 7),), {}
    yield "unet", Unet(), images(1, 4, 4), {}
    yield "functions", Functions(), images(4), {}
    yield "more-functions", MoreFunctions(), images(4), {}
    kinks = torch.tensor([[0.0, 0, 0, 0, 0, 0], [1, -1, 1, 0, 0, -1], [1, 1, 1, 1, 1, 1], [-1, 0, -3, 3, 6, 0]])
    yield "kinks", Kinks(), (kinks,), {}
    yield "zeros-first-order", Zeros(), (kinks,), {}
    yield "signals", Signals(), images(2, 4, 6), {}
    yield "two-inputs", TwoInputs(), (tokens(4, 2, 5), images(4)[0]), {}


def write(folder, name, network, inputs, half=False, modes=False, decompose=False, batch=None):
    for mode in ("evaluation", "training") if modes else ("evaluation",):
        network.train(mode == "training")
        given = tuple(x.half() if half and x.is_floating_point() else x for x in inputs)
        shapes = tuple({0: torch.export.Dim.DYNAMIC} for _ in given)
        exported = torch.export.export(network, given, dynamic_shapes=shapes)
        if decompose:
            exported = exported.run_decompositions()
        for node in exported.graph.nodes:
            for key in ("stack_trace", "torch_fn", "source_fn_stack", "from_node"):
                node.meta.pop(key, None)  # the paths of this machine, and most of the bytes
        file = f"{name}-{mode}" if modes else name
        torch.export.save(exported, f"{folder}/{file}.pt2")
        exact = network.double()
        given = [x.double() if x.is_floating_point() else x for x in inputs]
        named = {k: p for k, p in exact.named_parameters() if p.requires_grad}
        state = {k: b.clone() for k, b in exact.named_buffers()}
        with sdpa_kernel(SDPBackend.MATH):
            out = exact(*given)
            y = torch.randn(out.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
            loss = 0.5 * ((out - y) ** 2).sum() / out.shape[0]
            gradient = torch.autograd.grad(loss, list(named.values()), create_graph=True, allow_unused=True)
            gradient = [torch.zeros_like(p) if g is None else g for g, p in zip(gradient, named.values())]
            flat = torch.cat([g.reshape(-1) for g in gradient])
            v = torch.cos(torch.arange(flat.numel(), dtype=torch.float64))
            product = torch.autograd.grad((flat * v).sum(), list(named.values()), allow_unused=True)
        reference = {"out": out.detach(), "y": y}
        reference |= {f"x{number}": x for number, x in enumerate(given)}
        at = 0
        for (key, p), g, h in zip(named.items(), gradient, product):
            reference[f"g.{key}"] = g.detach()
            reference[f"h.{key}"] = torch.zeros_like(p) if h is None else h.detach()
            reference[f"v.{key}"] = v[at : at + p.numel()].reshape(p.shape)
            at += p.numel()
        for key, buffer in exact.named_buffers():
            buffer.copy_(state[key])
        save_file({k: t.contiguous().clone() for k, t in reference.items()}, f"{folder}/{file}.safetensors")
        print(f"{file}: P = {at}", flush=True)
        network.half() if half else network.float()


def main():
    torch.manual_seed(0)
    torch.set_num_threads(2)
    folder, which = sys.argv[1], sys.argv[2:]
    if which:
        from others import others as networks
    else:
        networks = ours
    for name, network, inputs, options in networks():
        try:
            write(folder, name, network, inputs, **options)
        except Exception as error:  # what cannot be exported is a row of the table, too
            print(f"{name}: not exported: {type(error).__name__}: {str(error)[:300]}", flush=True)


if __name__ == "__main__":
    main()
