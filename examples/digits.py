"""The embedded digits without the command line: data, network, loop, accuracy."""

import tinygrad_notes as tg
from tinygrad_notes.nn.functional import cross_entropy

tg.manual_seed(0)
train, test = tg.data.load_digits()
batches = tg.data.DataLoader(train, batch_size=128, shuffle=True, drop_last=True)
model = tg.models.MLP((784, 128, 10))
optimizer = tg.optim.Adam(model.parameters(), lr=2e-3)

for epoch in range(3):
    for images, labels in batches:  # images (128, 1, 28, 28) in [0, 1]
        loss = cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    hits = 0
    with tg.no_grad():
        for images, labels in tg.data.DataLoader(test, batch_size=500):
            hits += int((model(images).argmax(axis=1) == labels).sum().item())
    print(f"epoch {epoch + 1}: {100 * hits / len(test):.2f} % of {len(test):,} test digits right")
