"""Networks that choose rows by numbers that they make themselves: what `places.rs` reads.

    python reference/places.py archives/places        # from crates/exchange/tests

Needs torch.
"""

import sys
import warnings

import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class Shifted(nn.Module):
    """The row behind the token's: there is none behind the last of five."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 4)

    def forward(self, tokens):
        return self.table(tokens + 1).mean(1)


class Pairs(nn.Module):
    """w[i, j] of a matrix [3, 4]: a column out of range must not become the next row's."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(12.0).reshape(3, 4))

    def forward(self, tokens):
        return self.weight[tokens[:, 0], tokens[:, 1]].unsqueeze(1)


class Gathered(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(4.0))

    def forward(self, tokens):
        return torch.gather(self.weight.expand(tokens.shape[0], -1), 1, tokens)


def main():
    torch.manual_seed(0)
    tokens = torch.tensor([[0, 1], [1, 0], [2, 1], [1, 1]])
    for name, network in [("shifted", Shifted()), ("pairs", Pairs()), ("gathered", Gathered())]:
        exported = torch.export.export(network, (tokens,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        torch.export.save(exported, f"{sys.argv[1]}/{name}.pt2")
        print(name, flush=True)


if __name__ == "__main__":
    main()
