"""The networks of the package written in torch.nn, with the same state_dict keys: for parity and timing."""

from __future__ import annotations

import itertools
from typing import Any


def mlp(sizes: tuple[int, ...] = (784, 1000, 1000, 10)) -> Any:
    """`tg.models.MLP` in torch."""
    from torch import nn

    layers: list[Any] = [nn.Flatten()]
    for before, after in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return _Nested(layers=nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1])))


def lenet5(classes: int = 10) -> Any:
    """`tg.models.LeNet5` in torch."""
    from torch import nn

    return _Nested(
        features=nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)
        ),
        classifier=nn.Sequential(
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, classes),
        ),
    )


def _Nested(**parts: Any) -> Any:
    """A torch module that applies its named parts in order."""
    from collections import OrderedDict

    from torch import nn

    return nn.Sequential(OrderedDict(parts))


def copy_weights(ours: Any, theirs: Any) -> None:
    """Give the torch module the values of ours; every key must match."""
    import torch

    state = {name: torch.from_numpy(value) for name, value in ours.state_dict().items()}
    theirs.load_state_dict(state, strict=True)


def _net(forward: Any, **parts: Any) -> Any:
    """A torch module of named parts whose forward is `forward(net, x)`."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, x: Any) -> Any:
            return forward(self, x)

    return Net()


def simplecnn(shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10) -> Any:
    """`tg.models.SimpleCNN` in torch."""
    from torch import nn

    features = nn.Sequential(
        nn.Conv2d(shape[0], 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    )  # fmt: skip
    last = nn.Linear(32 * (shape[1] // 4) * (shape[2] // 4), classes)
    return _Nested(features=features, classifier=nn.Sequential(nn.Flatten(), last))


def lenet1998() -> Any:
    """`tg.models.LeNet1998` in torch: the connection table as a loop over the maps of C3."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    from tinygrad_notes.models.lenet1998 import C3_TABLE

    def squash(a: Any) -> Any:
        return 1.7159 * torch.tanh(2 / 3 * a)

    def weights(*shape: int) -> Any:
        return nn.Parameter(torch.empty(shape))

    def subsample(part: Any, x: Any) -> Any:
        total = x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]
        return squash(total * part.weight[:, None, None] + part.bias[:, None, None])

    def partial(part: Any, x: Any) -> Any:
        maps, start = [], 0
        for o, seen in enumerate(C3_TABLE):
            kernels = part.weight[start : start + len(seen)]
            maps.append(F.conv2d(x[:, list(seen)], kernels[None], part.bias[o : o + 1]))
            start += len(seen)
        return torch.cat(maps, 1)

    def forward(net: Any, x: Any) -> Any:
        x = net.s4(squash(net.c3(net.s2(squash(net.c1(x))))))
        x = squash(net.f6(squash(net.c5(x)).flatten(1)))
        return -((x[:, None] - net.bitmaps) ** 2).sum(2)

    net = _net(
        forward, c1=nn.Conv2d(1, 6, 5), s2=_net(subsample, weight=weights(6), bias=weights(6)),
        c3=_net(partial, weight=weights(60, 5, 5), bias=weights(16)),
        s4=_net(subsample, weight=weights(16), bias=weights(16)), c5=nn.Conv2d(16, 120, 5),
        f6=nn.Linear(120, 84),
    )  # fmt: skip
    net.register_buffer("bitmaps", torch.empty(10, 84))
    return net


def alexnet(classes: int, variant: str, hidden: int = 4096, dropout: float = 0.5) -> Any:
    """`tg.models.AlexNet` in torch; torch divides the α of response normalization by the window."""
    from torch import nn

    torchvision = variant == "torchvision"
    a, b, c, d, e = (64, 192, 384, 256, 256) if torchvision else (96, 256, 384, 384, 256)
    g = 2 if variant == "paper" else 1

    def norm() -> list[Any]:
        return [] if torchvision else [nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)]

    return _Nested(
        features=nn.Sequential(
            nn.Conv2d(3, a, 11, 4, 2 if torchvision else 0), nn.ReLU(), *norm(), nn.MaxPool2d(3, 2),
            nn.Conv2d(a, b, 5, 1, 2, groups=g), nn.ReLU(), *norm(), nn.MaxPool2d(3, 2),
            nn.Conv2d(b, c, 3, 1, 1), nn.ReLU(), nn.Conv2d(c, d, 3, 1, 1, groups=g), nn.ReLU(),
            nn.Conv2d(d, e, 3, 1, 1, groups=g), nn.ReLU(), nn.MaxPool2d(3, 2),
        ),
        avgpool=nn.AdaptiveAvgPool2d((6, 6)),
        flatten=nn.Flatten(),
        classifier=nn.Sequential(
            nn.Dropout(dropout), nn.Linear(e * 36, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes),
        ) if torchvision else nn.Sequential(
            nn.Linear(e * 36, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes),
        ),
    )  # fmt: skip


def vgg(depth: int, classes: int, batch_norm: bool = False, hidden: int = 4096, dropout: float = 0.5) -> Any:
    """`tg.models.VGG` in torch, of the torchvision variant."""
    from torch import nn

    counts = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}[depth]
    layers, before = [], 3
    for width, count in zip((64, 128, 256, 512, 512), counts, strict=True):
        for _ in range(count):
            layers.append(nn.Conv2d(before, width, 3, padding=1))
            layers += [nn.BatchNorm2d(width)] * batch_norm + [nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2, 2))
    return _Nested(
        features=nn.Sequential(*layers),
        avgpool=nn.AdaptiveAvgPool2d((7, 7)),
        flatten=nn.Flatten(),
        classifier=nn.Sequential(
            nn.Linear(512 * 49, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(hidden, classes),
        ),
    )  # fmt: skip


def _block(before: int, width: int, stride: int, option: str) -> Any:
    import torch
    from torch import nn
    from torch.nn import functional as F

    def forward(net: Any, x: Any) -> Any:
        y = net.bn2(net.conv2(torch.relu(net.bn1(net.conv1(x)))))
        if hasattr(net, "downsample"):
            x = net.downsample(x)
        elif stride != 1 or before != width:
            x = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, width - before))
        return torch.relu(y + x)

    parts: dict[str, Any] = dict(
        conv1=nn.Conv2d(before, width, 3, stride, 1, bias=False), bn1=nn.BatchNorm2d(width),
        conv2=nn.Conv2d(width, width, 3, 1, 1, bias=False), bn2=nn.BatchNorm2d(width),
    )  # fmt: skip
    if option == "B" and (stride != 1 or before != width):
        shortcut = nn.Conv2d(before, width, 1, stride, bias=False)
        parts["downsample"] = nn.Sequential(shortcut, nn.BatchNorm2d(width))
    return _net(forward, **parts)


def resnet(
    counts: tuple[int, ...], widths: tuple[int, ...], classes: int, option: str, imagenet: bool
) -> Any:
    """`tg.models.ResNet` (`imagenet`) and `tg.models.CifarResNet` in torch."""
    import torch
    from torch import nn

    def forward(net: Any, x: Any) -> Any:
        x = torch.relu(net.bn1(net.conv1(x)))
        x = nn.functional.max_pool2d(x, 3, 2, 1) if imagenet else x
        for stage in range(1, len(counts) + 1):
            x = getattr(net, f"layer{stage}")(x)
        return net.fc(x.mean((2, 3)))

    before, stages = widths[0], {}
    for stage, (count, width) in enumerate(zip(counts, widths, strict=True), 1):
        blocks = []
        for i in range(count):
            blocks.append(_block(before, width, 2 if i == 0 and stage > 1 else 1, option))
            before = width
        stages[f"layer{stage}"] = nn.Sequential(*blocks)
    conv1 = (
        nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        if imagenet
        else nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
    )
    return _net(forward, conv1=conv1, bn1=nn.BatchNorm2d(widths[0]), **stages, fc=nn.Linear(before, classes))


def googlenet(classes: int, variant: str, aux: bool = True) -> Any:
    """`tg.models.GoogLeNet` in torch; dropout off."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    normalized = variant.startswith("torchvision")
    ceil = variant != "notes"

    def conv(before: int, width: int, k: int, stride: int = 1, padding: int = 0) -> Any:
        parts: dict[str, Any] = dict(conv=nn.Conv2d(before, width, k, stride, padding, bias=not normalized))
        if normalized:
            parts["bn"] = nn.BatchNorm2d(width, eps=0.001)
        return _net(lambda n, x: torch.relu(n.bn(n.conv(x)) if normalized else n.conv(x)), **parts)

    def inception(before: int, a: int, r3: int, b: int, r5: int, c: int, d: int) -> Any:
        five = conv(r5, c, 3, padding=1) if variant == "torchvision" else conv(r5, c, 5, padding=2)
        return _net(
            lambda n, x: torch.cat([n.branch1(x), n.branch2(x), n.branch3(x), n.branch4(x)], 1),
            branch1=conv(before, a, 1),
            branch2=nn.Sequential(conv(before, r3, 1), conv(r3, b, 3, padding=1)),
            branch3=nn.Sequential(conv(before, r5, 1), five),
            branch4=nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), conv(before, d, 1)),
        )

    def auxiliary(before: int) -> Any:
        def run(n: Any, x: Any) -> Any:
            x = F.adaptive_avg_pool2d(x, (4, 4)) if normalized else F.avg_pool2d(x, 5, 3)
            return n.fc2(torch.relu(n.fc1(n.conv(x).flatten(1))))

        return _net(run, conv=conv(before, 128, 1), fc1=nn.Linear(2048, 1024), fc2=nn.Linear(1024, classes))

    def pool(x: Any, k: int = 3) -> Any:
        return F.max_pool2d(x, k, 2, 0 if ceil else 1, ceil_mode=ceil)

    def norm(x: Any) -> Any:
        return F.local_response_norm(x, 5) if variant == "paper" else x

    def forward(n: Any, x: Any) -> Any:
        x = pool(norm(n.conv3(n.conv2(norm(pool(n.conv1(x)))))))
        x = n.inception4a(pool(n.inception3b(n.inception3a(x))))
        side = [n.aux1(x)] if n.training and aux else []
        x = n.inception4d(n.inception4c(n.inception4b(x)))
        side += [n.aux2(x)] if n.training and aux else []
        x = n.inception5b(n.inception5a(pool(n.inception4e(x), 2 if normalized else 3)))
        x = n.fc(x.mean((2, 3)))
        return (x, *side) if side else x

    tables = {
        "3a": (192, 64, 96, 128, 16, 32, 32), "3b": (256, 128, 128, 192, 32, 96, 64),
        "4a": (480, 192, 96, 208, 16, 48, 64), "4b": (512, 160, 112, 224, 24, 64, 64),
        "4c": (512, 128, 128, 256, 24, 64, 64), "4d": (512, 112, 144, 288, 32, 64, 64),
        "4e": (528, 256, 160, 320, 32, 128, 128), "5a": (832, 256, 160, 320, 32, 128, 128),
        "5b": (832, 384, 192, 384, 48, 128, 128),
    }  # fmt: skip
    parts = {f"inception{name}": inception(*row) for name, row in tables.items()}
    parts |= dict(aux1=auxiliary(512), aux2=auxiliary(528)) if aux else {}
    return _net(forward, conv1=conv(3, 64, 7, 2, 3), conv2=conv(64, 64, 1), conv3=conv(64, 192, 3, padding=1),
                fc=nn.Linear(1024, classes), **parts)  # fmt: skip


def language(cell: str, vocabulary: int, width: int, layers: int, **options: Any) -> Any:
    """`tg.models.RecurrentLM` and `TransformerLM` in torch: net(ids, state) → (logits, state)."""
    import functools

    import torch
    from torch import nn

    embedding = nn.Embedding(vocabulary, width)
    if cell != "transformer":
        make = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]

        def read(net: Any, ids: Any, state: Any = None) -> Any:
            y, state = net.rnn(net.embedding(ids), state)
            return net.head(y), state

        rnn = make(width, width, layers, batch_first=True)
        return _several(read, embedding=embedding, head=nn.Linear(width, vocabulary), rnn=rnn)
    heads, context = options["heads"], options["context"]
    gelu = functools.partial(nn.functional.gelu, approximate="tanh")
    layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, gelu, batch_first=True)
    stack = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
    for layer in stack.layers:
        layer.norm_first = True

    def run(net: Any, ids: Any, state: Any = None) -> Any:
        x = net.embedding(ids) + net.positions.weight[: ids.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1], dtype=x.dtype, device=x.device)
        return net.head(net.transformer(x, mask=mask, is_causal=True)), None

    head = nn.Linear(width, vocabulary, bias=False)
    head.weight = embedding.weight
    positions = _net(None, weight=nn.Parameter(torch.empty(context, width)))
    return _several(run, embedding=embedding, head=head, positions=positions, transformer=stack)


def classifier(ours: Any, cell: str, bidirectional: bool, dropout: float, heads: int) -> Any:
    """`tg.models.SequenceClassifier` in torch, of the sizes of `ours`: net(sequences, lengths) → logits."""
    import torch
    from torch import nn

    classes, ends = ours.head.weight.shape
    if ours.vocabulary:
        read, width = nn.Embedding(*ours.input.weight.shape), ours.input.weight.shape[1]
    else:
        width, features = ours.input.weight.shape
        read = nn.Linear(features, width)
    parts: dict[str, Any] = {"input": read, "head": nn.Linear(ends, classes), "dropout": nn.Dropout(dropout)}
    if cell != "transformer":
        layers = ours.rnn.num_layers
        between = dropout if layers > 1 else 0.0
        make = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
        parts["rnn"] = make(
            width, width, layers, batch_first=True, dropout=between, bidirectional=bidirectional
        )

        def forward(net: Any, x: Any, lengths: Any) -> Any:
            packed = nn.utils.rnn.pack_padded_sequence(
                net.dropout(net.input(x)), lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            state = net.rnn(packed)[1]
            last = (state[0] if isinstance(state, tuple) else state)[-2 if bidirectional else -1 :]
            return net.head(net.dropout(torch.cat(list(last), dim=1)))

        return _several(forward, **parts)
    layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, "gelu", batch_first=True)
    parts["encoder"] = nn.TransformerEncoder(layer, len(ours.encoder.layers), enable_nested_tensor=False)
    even = torch.arange(0, width, 2, dtype=torch.float64)
    places = torch.arange(512)[:, None] / 10000 ** (even / width)
    table = torch.stack([places.sin(), places.cos()], dim=2).reshape(512, -1)

    def attend(net: Any, x: Any, lengths: Any) -> Any:
        real = torch.arange(x.shape[1]) < lengths[:, None]
        y = net.dropout(net.input(x) + table[: x.shape[1]].to(net.head.weight.dtype))
        y = net.encoder(y, src_key_padding_mask=~real).masked_fill(~real[..., None], 0.0)
        return net.head(net.dropout(y.sum(1) / lengths[:, None]))

    return _several(attend, **parts)


def seq2seq(
    ours: Any, v: int, w: int, cell: str, attention: str, width: int, embedding: int, layers: int,
    feeding: bool,
) -> Any:  # fmt: skip
    """`tg.models.Seq2Seq` in torch, one step after another, with packed sequences."""
    import torch
    from torch import nn

    pack, unpack = nn.utils.rnn.pack_padded_sequence, nn.utils.rnn.pad_packed_sequence
    make = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]

    def scores(net: Any, s: Any, keys: Any) -> Any:
        if attention == "dot":
            return (keys @ s[:, :, None])[:, :, 0]
        if attention == "general":
            return (keys @ (s @ net.attention.weight)[:, :, None])[:, :, 0]
        part = net.attention
        return torch.tanh(keys @ part.key_weight.T + (s @ part.query_weight.T)[:, None]) @ part.v

    def attend(net: Any, s: Any, keys: Any, lengths: Any) -> Any:
        hidden = torch.arange(keys.shape[1]) >= lengths[:, None]
        alpha = scores(net, s, keys).masked_fill(hidden, -torch.inf).softmax(1)
        return (alpha[:, None] @ keys)[:, 0]

    def run(net: Any, source: Any, target: Any, lengths: Any) -> Any:
        packed = pack(net.source_embedding(source), lengths, batch_first=True, enforce_sorted=False)
        keys, last = net.encoder(packed)
        keys, _ = unpack(keys, batch_first=True)
        states = last if isinstance(last, tuple) else (last,)
        states = tuple(torch.cat([h[0::2], h[1::2]], dim=2) for h in states)
        h = keys.new_zeros(len(source), width)
        logits = []
        for t in range(target.shape[1]):
            x = [net.target_embedding(target[:, t])] + [h] * feeding
            if attention == "additive":
                context = attend(net, states[0][-1], keys, lengths)
                x.append(context)
            given = states if len(states) > 1 else states[0]
            y, last = net.decoder(torch.cat(x, 1)[:, None], given)
            states = last if isinstance(last, tuple) else (last,)
            h = y[:, 0]
            if attention in ("dot", "general"):
                context = attend(net, h, keys, lengths)
            if attention != "none":
                h = torch.tanh(net.combine(torch.cat([context, h], 1)))
            logits.append(net.head(h))
        return torch.stack(logits, 1)

    parts = dict(
        source_embedding=nn.Embedding(v, embedding), target_embedding=nn.Embedding(w, embedding),
        encoder=make(embedding, width // 2, layers, batch_first=True, bidirectional=True),
        decoder=make(embedding + width * (feeding + (attention == "additive")), width, layers,
                     batch_first=True),
    )  # fmt: skip
    if attention in ("general", "additive"):
        shapes = {name: value.shape for name, value in ours.attention.state_dict().items()}
        parts["attention"] = _net(None, **{n: nn.Parameter(torch.empty(s)) for n, s in shapes.items()})
    if attention != "none":
        parts["combine"] = nn.Linear(2 * width, width, bias=False)
    return _several(run, **parts, head=nn.Linear(width, w))


def _several(forward: Any, **parts: Any) -> Any:
    """As `_net`, with a forward of several inputs."""
    net = _net(None, **parts)
    net.forward = lambda *inputs: forward(net, *inputs)
    return net


def transformer(
    vocabulary: int, width: int, heads: int, layers: int, feed_forward: int, dropout: float,
    norm_first: bool = False, padding: int = 0,
) -> Any:  # fmt: skip
    """`tg.models.Transformer` in torch: net(source, target), net.start(source), net.step(target, memory)."""
    import torch
    from torch import nn

    stack = nn.Transformer(width, heads, layers, layers, feed_forward, dropout, batch_first=True)
    for layer in (*stack.encoder.layers, *stack.decoder.layers):
        layer.norm_first = norm_first
    if not norm_first:
        stack.encoder.norm = stack.decoder.norm = None
    drop = nn.Dropout(dropout)

    def embedded(net: Any, ids: Any) -> Any:
        table = net.embedding.weight
        places = torch.arange(ids.shape[1], dtype=torch.float64)[:, None]
        angles = places / 10_000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
        waves = torch.stack([angles.sin(), angles.cos()], dim=2).reshape(-1, width)
        return drop(net.embedding(ids) * width**0.5 + waves.to(table.device, table.dtype))

    def start(net: Any, source: Any) -> Any:
        hidden = source == padding
        return net.encoder(embedded(net, source), src_key_padding_mask=hidden), hidden

    def step(net: Any, target: Any, state: Any) -> Any:
        memory, hidden = state
        size = target.shape[1]
        causal = torch.ones(size, size, dtype=torch.bool, device=target.device).triu(1)
        y = net.decoder(embedded(net, target), memory, tgt_mask=causal, memory_key_padding_mask=hidden)
        return y @ net.embedding.weight.T

    net = _several(
        lambda net, source, target: step(net, target, start(net, source)),
        embedding=nn.Embedding(vocabulary, width), encoder=stack.encoder, decoder=stack.decoder,
    )  # fmt: skip
    net.dropped = drop  # so that it follows eval()
    net.start, net.step = (lambda *given: start(net, *given)), (lambda *given: step(net, *given))
    return net
