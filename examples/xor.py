"""XOR, the function that no single layer computes: a network of two learns it."""

import tinygrad_notes as tg
from tinygrad_notes import nn

tg.manual_seed(0)
inputs = tg.Tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
targets = tg.Tensor([[0.0], [1.0], [1.0], [0.0]])

model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = tg.optim.Adam(model.parameters(), lr=0.1)
for step in range(201):
    loss = nn.functional.binary_cross_entropy_with_logits(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step:3}  loss {loss.item():.4f}")

for row, logit in zip(inputs.numpy(), model(inputs).numpy().ravel(), strict=True):
    print(f"{row[0]:.0f} xor {row[1]:.0f} = {int(logit > 0)}")
