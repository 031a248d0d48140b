"""QRewiring: feasible after every step whatever moves the latents, and a torch optimizer in every other respect."""

import copy
import io

import pytest
import torch
from torch.optim import lr_scheduler

import neuro
from neuro.errors import FeasibilityError, NeuroError

CHIPS = ("dynapse1", "dynapse2", "binary-core", "generic")
OPTIMIZERS = {
    "adam": lambda groups: torch.optim.Adam(groups),
    "adamw": lambda groups: torch.optim.AdamW(groups, weight_decay=0.1),
    "sgd": lambda groups: torch.optim.SGD(groups, momentum=0.9, nesterov=True),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups),
}


def train(network, optimizer, loss, steps, each=lambda: None):
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network).backward()
        optimizer.step()
        each()


def snapshot(network):
    return {k: v.clone() for k, v in network.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def codes(network):
    return {n: m.code.clone() for n, m in network.memories.items()}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("chip", CHIPS)
def test_every_optimizer_lowers_the_loss_inside_the_chip(make, loss, chip, kind):
    network = make(chip)
    groups = network.parameter_groups(lr=0.5 if kind == "sgd" else 5e-3, base_lr=1e-3)
    optimizer = neuro.QRewiring(OPTIMIZERS[kind](groups), network, base_every=5)
    start, first = codes(network), loss(network).item()
    seen = []
    train(network, optimizer, loss, 20, lambda: seen.extend(network.violations()))
    assert seen == [] and optimizer.steps == 20
    assert any(not torch.equal(start[n], c) for n, c in codes(network).items())
    assert loss(network).item() < first + 0.05


@pytest.mark.parametrize("latent", ["free", "hull"])
@pytest.mark.parametrize("chip", CHIPS)
def test_fifty_wild_steps_end_inside_the_chip(make, chip, latent):
    network = make(chip)
    optimizer = neuro.QRewiring(
        torch.optim.SGD(network.parameter_groups(lr=1e3, base_lr=30.0)), network, latent=latent, base_every=3
    )
    g = torch.Generator().manual_seed(0)
    for _ in range(50):
        for p in network.parameters():
            p.grad = torch.randn(p.shape, generator=g) * 10 ** (4 * torch.rand(1, generator=g) - 2)
        optimizer.step()
        assert network.violations() == []
        if chip != "binary-core":
            used = [m.code if chip in ("dynapse1", "generic") else m.code != 0 for m in network.memories.values()]
            assert all(int(u.flatten(1).sum(1).max()) <= 6 for u in used)
    assert network(torch.ones(5, 1, 8))[0].isfinite().all()


def test_latents_are_neither_overwritten_nor_clipped_when_free(make):
    network = make()
    optimizer = neuro.QRewiring(torch.optim.SGD(network.parameter_groups(lr=1.0)), network)
    before = network.latents["hidden"].detach().clone()
    network.latents["hidden"].grad = torch.full_like(before, 1e-4)
    optimizer.step()
    assert torch.equal(network.latents["hidden"], before - 1e-4)
    network.latents["hidden"].grad = torch.full_like(before, -50.0)
    optimizer.step()
    assert torch.equal(network.latents["hidden"], before - 1e-4 + 50.0)


def assert_in_hull(network):
    """Σ |w| / unit ≤ slots in every row, unit the base of counts, the largest value of a word of other kinds."""
    plan, values = network.plan, network.bases.values().double()
    for name, latent in network.latents.items():
        rows = values[torch.from_numpy(plan.core_index(name))]
        w = latent.detach().double()
        if plan.chip.weights.kind == "counts":
            share = torch.zeros_like(w)
            for c, current in enumerate(plan.currents):
                for sign in (1, -1):
                    there = (w[:, :, c] * sign) > 0
                    kind = plan.type_of(current, sign)
                    unit = rows[:, network.bases.names.index(kind.name)] if kind else torch.ones(len(rows)).double()
                    # where no type gives the sign, no latent of it lies in the hull
                    part = torch.where(there, w[:, :, c].abs() / (unit[:, None, None] if kind else 1e-9), 0.0)
                    share[:, :, c] += part
        else:
            top = rows.sum(1) if plan.chip.weights.kind == "masks" else rows[:, 0]
            share = w.abs() / top[:, None, None, None]
            assert share.max() <= 1 + 1e-5
        if plan.chip.weights.slots is not None:
            assert share.flatten(1).sum(1).max() <= plan.chip.weights.slots * (1 + 1e-5)


@pytest.mark.parametrize("base_lr", [0.0, 0.5])
@pytest.mark.parametrize("chip", CHIPS)
def test_hull_keeps_latents_in_the_hull(make, chip, base_lr):
    network = make(chip)
    optimizer = neuro.QRewiring(
        torch.optim.SGD(network.parameter_groups(lr=0.5, base_lr=base_lr)), network, latent="hull", base_every=2
    )
    g = torch.Generator().manual_seed(1)
    for _ in range(12):
        for p in network.parameters():
            p.grad = torch.randn(p.shape, generator=g)
        optimizer.step()
        assert_in_hull(network)


def test_a_closure_is_called_once_with_gradients_on(make, loss):
    network, twin = make(), make()
    calls = []

    def closure():
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        value = loss(network)
        value.backward()
        return value

    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=0.05)), network)
    with torch.no_grad():
        value = optimizer.step(closure)
    assert calls == [True] and value.item() > 0
    plain = neuro.QRewiring(torch.optim.Adam(twin.parameter_groups(lr=0.05)), twin)
    train(twin, plain, loss, 1)
    assert equal(snapshot(network), snapshot(twin))


@pytest.mark.parametrize("make_wrong, match", [
    (lambda n: neuro.QRewiring(torch.optim.LBFGS(n.parameters()), n), "LBFGS"),
    (lambda n: neuro.QRewiring(n, n), "optimizer is Network"),
    (lambda n: neuro.QRewiring(torch.optim.Adam(n.parameters()), n, latent="clip"), "latent is 'clip', allowed: free"),
    (lambda n: neuro.QRewiring(torch.optim.Adam(n.parameters()), n, base_every=0), "base_every is 0"),
    (lambda n: neuro.QRewiring(torch.optim.Adam(n.parameters()), n, base_every=2.5), "base_every is 2.5"),
])  # fmt: skip
def test_what_cannot_be_wrapped_is_refused_by_name(make, make_wrong, match):
    with pytest.raises(NeuroError, match=match):
        make_wrong(make())


def test_grad_scaler_steps_and_skips(make, loss):
    network = make()
    optimizer = neuro.QRewiring(torch.optim.SGD(network.parameter_groups(lr=0.1)), network)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    twin = make()
    plain = neuro.QRewiring(torch.optim.SGD(twin.parameter_groups(lr=0.1)), twin)
    for _ in range(4):
        optimizer.zero_grad()
        scaler.scale(loss(network)).backward()
        scaler.step(optimizer)
        scaler.update()
    train(twin, plain, loss, 4)
    assert equal(snapshot(network), snapshot(twin)) and optimizer.steps == 4  # a power of two scales without rounding
    before = snapshot(network)
    optimizer.zero_grad()
    scaler.scale(loss(network)).backward()
    network.latents["out"].grad[0, 0] = float("inf")
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 512.0 and optimizer.steps == 4 and equal(before, snapshot(network))


SCHEDULES = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 6),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, [0.1, 0.01], total_steps=6),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=10.0),
}


@pytest.mark.parametrize("kind", SCHEDULES)
def test_schedules_move_the_rates_of_the_wrapped_optimizer(make, loss, kind):
    network, twin = make(), make()
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=0.1, base_lr=0.01)), network)
    plain = torch.optim.Adam(twin.parameter_groups(lr=0.1, base_lr=0.01))
    schedule, wanted = SCHEDULES[kind](optimizer), SCHEDULES[kind](plain)
    rates = []
    for _ in range(5):
        train(network, optimizer, loss, 1)
        plain.step()
        schedule.step(*([1.0] if kind == "ReduceLROnPlateau" else []))
        wanted.step(*([1.0] if kind == "ReduceLROnPlateau" else []))
        rates.append([group["lr"] for group in optimizer.param_groups])
        assert rates[-1] == [group["lr"] for group in plain.param_groups]
        assert network.violations() == []
    assert rates[0] != rates[-1]


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_resumed_equals_uninterrupted(make, loss, kind):
    def fresh(seed):
        network = make(seed=seed, linear=True)
        optimizer = neuro.QRewiring(OPTIMIZERS[kind](network.parameter_groups(lr=0.02)), network, base_every=3)
        return network, optimizer, lr_scheduler.CosineAnnealingLR(optimizer, 10)

    whole, optimizer, schedule = fresh(0)
    train(whole, optimizer, loss, 10, schedule.step)
    first, optimizer, schedule = fresh(0)
    train(first, optimizer, loss, 4, schedule.step)
    file = io.BytesIO()
    torch.save([first.state_dict(), optimizer.state_dict(), schedule.state_dict()], file)
    file.seek(0)
    second, optimizer, schedule = fresh(5)
    for part, state in zip((second, optimizer, schedule), torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    assert equal(snapshot(first), snapshot(second))
    train(second, optimizer, loss, 6, schedule.step)
    assert equal(snapshot(whole), snapshot(second)) and optimizer.steps == 10


def test_it_answers_like_the_optimizer_it_wraps(make, loss):
    network = make()
    inner = torch.optim.SGD([network.latents["hidden"]], lr=0.1)
    optimizer = neuro.QRewiring(inner, network)
    optimizer.add_param_group({"params": [network.latents["out"]], "lr": 0.2})
    assert optimizer.param_groups is inner.param_groups and [g["lr"] for g in optimizer.param_groups] == [0.1, 0.2]
    assert optimizer.state is inner.state and isinstance(optimizer, torch.optim.Optimizer)
    loss(network).backward()
    before = network.latents["out"].detach().clone()
    grad = network.latents["out"].grad.clone()
    optimizer.step()
    assert torch.equal(network.latents["out"], before - 0.2 * grad)
    optimizer.zero_grad(set_to_none=False)
    assert not network.latents["out"].grad.any()
    optimizer.zero_grad()
    assert network.latents["out"].grad is None and "SGD" in repr(optimizer)


def test_a_copy_of_a_wrapped_optimizer_leaves_the_others_alone(make, loss, monkeypatch):
    monkeypatch.setattr(neuro.QRewiring, "step", neuro.QRewiring.step)  # a copy must not patch the class for good
    network = make()
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=0.02)), network)
    train(network, optimizer, loss, 2)
    both = copy.deepcopy((network, optimizer))
    train(network, optimizer, loss, 2)
    train(*both, loss, 2)
    assert equal(snapshot(network), snapshot(both[0])) and both[1].steps == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["latents.out", "bases.latent", "readouts.y.weight"])
def test_a_bad_gradient_is_named_and_moves_nothing(make, loss, name, value):
    network = make(linear=True)
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=0.02)), network, base_every=1)
    train(network, optimizer, loss, 2)
    before = snapshot(network)
    optimizer.zero_grad()
    loss(network).backward()
    dict(network.named_parameters())[name].grad.view(-1)[1] = value
    with pytest.raises(FeasibilityError, match=f"gradient of {name} "):
        optimizer.step()
    assert equal(before, snapshot(network)) and optimizer.steps == 2 and network.violations() == []
    train(network, optimizer, loss, 1)


@pytest.mark.parametrize("name", ["latents.out", "bases.latent", "readouts.y.weight"])
@pytest.mark.parametrize("chip", CHIPS)
def test_a_parameter_that_overflows_is_named_and_the_last_network_kept(make, loss, chip, name):
    network = make(chip, linear=True)
    optimizer = neuro.QRewiring(torch.optim.SGD(network.parameter_groups(lr=2.0, base_lr=2.0)), network, base_every=1)
    train(network, optimizer, loss, 1)
    before, wanted = codes(network), network(torch.ones(6, 1, 8))[0].detach()
    units = network.bases.units.clone()
    optimizer.zero_grad()
    loss(network).backward()
    for p in network.parameters():
        p.grad.normal_()
    dict(network.named_parameters())[name].grad.view(-1)[0] = 3e38  # finite, but twice it is not
    with pytest.raises(FeasibilityError, match=name):
        optimizer.step()
    assert all(torch.equal(before[n], c) for n, c in codes(network).items())
    assert torch.equal(units, network.bases.units) and network.violations() == []
    assert all(p.isfinite().all() for p in network.parameters())
    assert torch.equal(network(torch.ones(6, 1, 8))[0].detach(), wanted)
