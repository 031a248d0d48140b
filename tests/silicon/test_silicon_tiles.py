"""Layers on tiles against loops over tiles, rows and codes, and models put on a chip."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import neuro
from neuro.errors import DescriptionError, FitError
from neuro.silicon import TileConv2d, TileLinear, on_tiles

SMALL = neuro.load_chip("rram-crossbar", ["tiles.rows=5", "tiles.columns=4", "cores.axons=40", "cores.neurons=16"])


def by_loops(layer, x, chip):
    """Convert, multiply and add up one sample as the formulas say."""
    into, out = chip.tiles.input, chip.tiles.output
    top_in, top_out = 2 ** (into.bits - 1) - 1, 2 ** (out.bits - 1) - 1
    full_in = into.bound * float(layer.input_scale)
    full_out = out.bound * full_in * float(layer.weight_scale)
    weight = layer.weight.detach().double().numpy()
    total = np.zeros(len(weight))
    for start in range(0, weight.shape[1], chip.tiles.rows):
        for n in range(len(weight)):
            sum_ = 0.0
            for m in range(start, min(start + chip.tiles.rows, weight.shape[1])):
                code = max(-top_in, min(top_in, round(float(x[m]) * top_in / full_in)))
                sum_ += code * weight[n, m] * full_in / top_in
            total[n] += max(-top_out, min(top_out, round(sum_ * top_out / full_out))) * full_out / top_out
    return total + (0 if layer.bias is None else layer.bias.detach().numpy())


@pytest.mark.parametrize("bias", ["digital", None])
def test_a_layer_equals_loops_over_its_tiles(bias):
    torch.manual_seed(0)
    layer = TileLinear(13, 6, SMALL.tiles, bias).eval()
    x = torch.randn(7, 13) * 2
    layer.calibrate(x[:4] * 0.8)
    wanted = np.stack([by_loops(layer, sample, SMALL) for sample in x])
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, atol=1e-5)
    trained = layer.train()(x)
    assert (trained - layer.eval()(x)).abs().mean() < 0.05 * trained.abs().mean()
    layer.train()(x).sum().backward()
    assert layer.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("stride", "padding", "bias"), [(1, 0, "row"), (2, 1, "digital")])
def test_a_convolution_without_converters_is_torchs(stride, padding, bias):
    torch.manual_seed(1)
    layer = TileConv2d(3, 5, 3, None, bias, stride, padding)
    x = torch.randn(2, 3, 9, 9)
    kernel, row = layer.weight[:, :27].view(5, 3, 3, 3), layer.weight[:, -1] if bias == "row" else layer.bias
    assert torch.allclose(layer(x), functional.conv2d(x, kernel, row, stride, padding), atol=1e-5)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_a_convolution_is_its_unrolled_matrix(stride, padding):
    torch.manual_seed(2)
    layer = TileConv2d(2, 4, 3, SMALL.tiles, "digital", stride, padding).eval()
    x = torch.randn(1, 2, 6, 6)
    layer.calibrate(x)
    found, padded = layer(x).detach().numpy()[0], functional.pad(x, (padding,) * 4)[0]
    for row in range(found.shape[1]):
        for column in range(found.shape[2]):
            patch = padded[:, row * stride : row * stride + 3, column * stride : column * stride + 3].flatten()
            np.testing.assert_allclose(found[:, row, column], by_loops(layer, patch, SMALL), atol=1e-5)


def model():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Dropout(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4))


def test_a_model_on_tiles_trains_and_stays_on_its_pairs():
    x, y = torch.randn(64, 1, 8, 8), torch.randint(4, (64,))
    held = on_tiles(model(), SMALL, x)
    optimizer = neuro.QRewiring(torch.optim.Adam(held.parameters(), 0.02), held)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = functional.cross_entropy(held(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        assert held.violations() == []
    assert losses[-1] < 0.8 * losses[0]


def test_many_bits_come_close_to_the_model_itself():
    chip = neuro.load_chip(
        "pcm-crossbar", ["devices.states=512", "tiles.input.bits=14", "tiles.output.bits=16", "tiles.output.bound=4.0"]
    )
    x = torch.randn(20, 1, 8, 8)
    held, wanted = on_tiles(model(), chip, x).eval(), model().eval()(x)
    assert (held(x) - wanted).abs().max() < 0.02 * wanted.abs().max()


@pytest.mark.parametrize(
    ("layers", "chip", "message"),
    [
        ([nn.Sigmoid()], SMALL, "0 is Sigmoid, allowed on tiles: Linear, Conv2d, ReLU"),
        ([nn.Conv2d(2, 2, 3, groups=2)], SMALL, "one group"),
        ([nn.Conv2d(2, 2, (3, 1))], SMALL, "square"),
        ([nn.ReLU()], neuro.load_chip("generic"), "has no pairs with one base"),
    ],
)
def test_what_has_no_place_on_tiles_is_refused(layers, chip, message):
    with pytest.raises(DescriptionError, match=message):
        on_tiles(nn.Sequential(*layers), chip, torch.randn(2, 2, 6, 6))


def test_too_many_tiles_are_refused():
    small = "tiles.rows=5", "tiles.columns=4", "cores.axons=5", "cores.neurons=4", "cores.per_chip=3"
    with pytest.raises(FitError, match="needs 8, allowed: 3"):
        on_tiles(nn.Sequential(nn.Linear(20, 8)), neuro.load_chip("rram-crossbar", small), torch.randn(2, 20))
