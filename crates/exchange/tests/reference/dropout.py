"""Networks that drop numbers in training: what `dropout.rs` reads.

    python reference/dropout.py archives/dropout        # from crates/exchange/tests

The weights are such that an output shows the mask. Needs torch.
"""

import sys
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")


class Same(nn.Module):
    """x times a weight of one, then a layer."""

    def __init__(self, layer):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.layer = layer

    def forward(self, x):
        return self.layer(x * self.weight)


class Attention(nn.Module):
    """All keys alike: where values are unit vectors, outputs are the weights, 1/length, or 1/(row + 1) if causal."""

    def __init__(self, causal):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.causal = causal

    def forward(self, x):
        same = x * self.weight
        p = 0.25 if self.training else 0.0
        return F.scaled_dot_product_attention(same, same, x, dropout_p=p, is_causal=self.causal)


class Rare(nn.Module):
    """Attention that all but never drops: causal, with a mask of conditions, with one of numbers."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))
        self.register_buffer("keep", torch.rand(5, 5) > 0.3, persistent=False)
        self.register_buffer("bias", torch.randn(5, 5), persistent=False)

    def forward(self, x):
        y, p = x * self.weight, 1e-12 if self.training else 0.0
        attend = lambda **how: F.scaled_dot_product_attention(y, y.flip(1), x, dropout_p=p, **how)
        parts = [attend(is_causal=True), attend(attn_mask=self.keep), attend(attn_mask=self.bias), attend(scale=0.7)]
        return torch.stack(parts, 1)


class Recurrent(nn.Module):
    """Nothing of the input passes from the first layer to the second."""

    def __init__(self):
        super().__init__()
        self.layers = nn.GRU(4, 3, num_layers=2, dropout=1.0, batch_first=True)

    def forward(self, x):
        return self.layers(x)[0]


def main():
    torch.manual_seed(0)
    rows, images, sequences = torch.randn(4, 64), torch.randn(4, 16, 2, 2), torch.randn(4, 5, 5)
    for name, network, x in [
        ("numbers", Same(nn.Dropout(0.25)), rows),
        ("in-place", Same(nn.Dropout(0.25, inplace=True)), rows),
        ("decomposed", Same(nn.Dropout(0.25)), rows),
        ("channels", Same(nn.Dropout2d(0.25)), images),
        ("attention", Attention(False), sequences),
        ("attention-causal", Attention(True), sequences),
        ("rare", Rare(), sequences),
        ("recurrent", Recurrent(), torch.randn(4, 3, 4)),
    ]:
        exported = torch.export.export(network.train(), (x,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        if name == "decomposed":
            exported = exported.run_decompositions()
        for node in exported.graph.nodes:
            for key in ("stack_trace", "torch_fn", "source_fn_stack", "from_node"):
                node.meta.pop(key, None)  # the paths of this machine, and most of the bytes
        torch.export.save(exported, f"{sys.argv[1]}/{name}.pt2")
        print(name, {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}, flush=True)


if __name__ == "__main__":
    main()
