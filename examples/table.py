"""A table with words and missing values: cleaned by its training part, then a body mass for every penguin."""

import numpy as np

import tinygrad_notes as tg
from tinygrad_notes import nn
from tinygrad_notes.data import held_out
from tinygrad_notes.data.tables import is_missing, load_penguins, prepare

penguins = load_penguins()
penguins = penguins.rows(~is_missing(penguins["body_mass_g"]))
unseen = held_out(np.zeros(len(penguins)), 0.2, seed=0)
train, test = penguins.rows(~unseen), penguins.rows(unseen)
preparation, report = prepare(train.without(["body_mass_g"]))  # of the training part only
print(*report, sep="\n")

mass = train["body_mass_g"]
mean, std = mass.mean(), mass.std()
inputs = tg.Tensor(preparation.apply(train).inputs)
targets = tg.Tensor(((mass - mean) / std)[:, None], dtype="float32")

tg.manual_seed(0)
model = nn.Sequential(nn.Linear(inputs.shape[1], 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = tg.optim.Adam(model.parameters(), lr=0.01)
for _ in range(150):
    loss = nn.functional.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

with tg.no_grad():
    said = model(tg.Tensor(preparation.apply(test).inputs)).numpy()[:, 0] * std + mean
error = np.sqrt(np.mean((said - test["body_mass_g"]) ** 2))
print(
    f"{len(test)} unseen penguins: off by {error:.0f} g (root mean square); their masses vary by {std:.0f} g"
)
