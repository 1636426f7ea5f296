"""Networks as they stand in packages, tiny and with random weights: torch, torchvision, timm, transformers."""

import torch
import torch.nn as nn


class Logits(nn.Module):
    """The one output that is measured, of a network that has several."""

    def __init__(self, network, **options):
        super().__init__()
        self.network, self.options = network, options

    def forward(self, x):
        return self.network(x, **self.options).logits


class Translator(nn.Module):
    """torch's own Transformer, encoder and decoder."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.transformer = nn.Transformer(8, 2, 1, 1, 16, 0.0, batch_first=True)
        self.head = nn.Linear(8, 11)

    def forward(self, tokens):
        x = self.embedding(tokens)
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.head(self.transformer(x, x, tgt_mask=mask, tgt_is_causal=True))


class LanguageModel(nn.Module):
    """torch's example word_language_model, without dropout."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Embedding(11, 6)
        self.rnn = nn.LSTM(6, 8, 2, batch_first=True)
        self.decoder = nn.Linear(8, 11)

    def forward(self, tokens):
        return self.decoder(self.rnn(self.encoder(tokens))[0])


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(3, 6, 3, padding=1), nn.GLU(1), nn.BatchNorm1d(3), nn.AdaptiveAvgPool1d(2))
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.layers(x).flatten(1))


def images(size, channels=3):
    return (torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(4)),)


def tokens(length, words):
    return (torch.randint(3, words, (4, length), generator=torch.Generator().manual_seed(3)),)


def others():
    """(name, network, inputs, options)"""
    yield "torch-transformer", Translator(), tokens(5, 11), {}
    yield "torch-language-model", LanguageModel(), tokens(5, 11), {}
    yield "torch-conv1d", Gated(), (torch.randn(4, 3, 8),), {"modes": True}
    import torchvision.models as tv

    yield "tv-resnet18", tv.ResNet(tv.resnet.BasicBlock, [2, 2, 2, 2], num_classes=5), images(32), {"modes": True}
    yield "tv-mobilenet-v2", tv.MobileNetV2(num_classes=5, width_mult=0.25, dropout=0.0), images(32), {"modes": True}
    yield "tv-densenet", tv.DenseNet(8, (2, 2), 8, num_classes=5), images(32), {"modes": True}
    yield "tv-vit", tv.VisionTransformer(16, 4, 2, 2, 16, 32, num_classes=5), images(16), {}
    yield "tv-convnext", tv.ConvNeXt([tv.convnext.CNBlockConfig(8, 16, 1), tv.convnext.CNBlockConfig(16, None, 1)],
                                     num_classes=5), images(32), {}
    yield "tv-swin", tv.SwinTransformer([2, 2], 8, [2, 2], [2, 2], [2, 2], num_classes=5), images(16), {}
    yield "tv-swin-decomposed", tv.SwinTransformer([2, 2], 8, [2, 2], [2, 2], [2, 2], num_classes=5), images(16), \
        {"decompose": True}
    yield "tv-efficientnet", tv.efficientnet_b0(num_classes=5, dropout=0.0, stochastic_depth_prob=0.0), images(32), {}
    yield "tv-squeezenet", tv.SqueezeNet("1_1", num_classes=5, dropout=0.0), images(48), {}
    import timm

    small = {"num_classes": 5, "img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2}
    yield "timm-vit", timm.models.VisionTransformer(num_heads=2, **small), images(16), {}
    yield "timm-mixer", timm.models.MlpMixer(5, 16, patch_size=4, num_blocks=2, embed_dim=16), images(16), {}
    yield "timm-convnext", timm.models.ConvNeXt(num_classes=5, depths=(1, 1, 1, 1), dims=(8, 8, 16, 16)), images(32), {}
    yield "timm-resnetv2", timm.models.ResNetV2((1, 1), (128, 256), num_classes=5, stem_chs=32), images(32), {"modes": True}
    yield "timm-beit", timm.models.Beit(num_heads=2, use_rel_pos_bias=True, init_values=0.1, **small), images(16), {}
    yield "timm-nfnet", timm.create_model("nf_resnet26", num_classes=5), images(32), {}
    import transformers as hf

    same = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    yield "hf-gpt2", Logits(hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=11, n_positions=8, n_embd=8, n_layer=2, n_head=2)),
                            use_cache=False), tokens(5, 11), {}
    yield "hf-bert", Logits(hf.BertForSequenceClassification(hf.BertConfig(vocab_size=11, num_labels=3, **same))), \
        tokens(5, 11), {}
    yield "hf-llama", Logits(hf.LlamaForCausalLM(hf.LlamaConfig(vocab_size=11, num_key_value_heads=1, **same)),
                             use_cache=False), tokens(5, 11), {}
    yield "hf-distilbert", Logits(hf.DistilBertForSequenceClassification(
        hf.DistilBertConfig(vocab_size=11, dim=8, n_layers=2, n_heads=2, hidden_dim=16, num_labels=3))), tokens(5, 11), {}
    yield "hf-vit", Logits(hf.ViTForImageClassification(
        hf.ViTConfig(image_size=16, patch_size=4, num_labels=3, **same))), images(16), {}
