"""The networks by name as PyTorch modules: those of torchvision where it has them."""

import torch
from torch import nn


class Block(nn.Module):
    """torchvision's BasicBlock with any norm and function."""

    def __init__(self, inputs, outputs, stride, norm, function):
        super().__init__()
        bias = norm is None
        norm = norm or (lambda _: nn.Identity())
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias)
        self.bn1 = norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=bias)
        self.bn2 = norm(outputs)
        self.function = function
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=bias), norm(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.function(self.bn1(self.conv1(x)))))
        return self.function(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    """torchvision's ResNet with a first layer for small images."""

    def __init__(self, channels, width, stages, norm, function, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=norm is None)
        self.bn1 = norm(width) if norm else nn.Identity()
        self.function, self.stages, inputs = function, len(stages), width
        for stage, blocks in enumerate(stages):
            outputs, layers = width << stage, []
            for block in range(blocks):
                layers.append(Block(inputs, outputs, 2 if stage and not block else 1, norm, function))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.function(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


class Vgg(nn.Module):
    """torchvision's VGG with one layer for a classifier."""

    def __init__(self, channels, width, convolutions, norm, function, pool, classes):
        super().__init__()
        layers, inputs = [], channels
        for count, times in zip(convolutions, [1, 2, 4, 8, 8]):
            for _ in range(count):
                layers.append(nn.Conv2d(inputs, width * times, 3, padding=1))
                layers += [norm(width * times)] if norm else []
                layers.append(function)
                inputs = width * times
            layers.append(pool)
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(inputs, classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class EncoderBlock(nn.Module):
    """torchvision's, without dropout."""

    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Identity(), nn.Linear(4 * width, width), nn.Identity()
        )

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self, length, depth, width, heads):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, length, width))
        self.layers = nn.ModuleDict({f"encoder_layer_{at}": EncoderBlock(width, heads) for at in range(depth)})
        self.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        x = x + self.pos_embedding
        for block in self.layers.values():
            x = block(x)
        return self.ln(x)


class Vit(nn.Module):
    """torchvision's VisionTransformer."""

    def __init__(self, channels, patches, patch, depth, width, heads, classes):
        super().__init__()
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.conv_proj = nn.Conv2d(channels, width, patch, patch)
        self.encoder = Encoder(1 + patches, depth, width, heads)
        self.heads = nn.ModuleDict({"head": nn.Linear(width, classes)})

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        return self.heads["head"](self.encoder(x)[:, 0])


class Transformer(nn.Module):
    """Our documentation's; outputs at the last positions, or of the mean."""

    def __init__(self, vocabulary, length, width, depth, heads, positions, causal, classes):
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(block, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)
        self.positions, self.causal = positions, causal

    def forward(self, x):
        length = x.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length) if self.causal else None
        h = self.encoder(self.token(x) + self.position.weight, mask=mask, is_causal=self.causal)
        h = h[:, length - self.positions :] if self.causal or self.positions > 1 else h.mean(1, keepdim=True)
        return self.head(h).flatten(1)


class Sequence(nn.Module):
    """Our documentation's, with outputs at the last positions."""

    def __init__(self, vocabulary, width, depth, positions, classes):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, depth, batch_first=True)
        self.head = nn.Linear(width, classes)
        self.positions = positions

    def forward(self, x):
        return self.head(self.lstm(self.token(x))[0][:, -self.positions :]).flatten(1)
