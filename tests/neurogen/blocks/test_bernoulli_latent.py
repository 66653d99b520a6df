"""Autoregressive Bernoulli sampling: which candidate is taken, and what the prior is taught with.

That drawing with membranes kept equals growing windows is shown in tests/neurogen/models/test_fsvae_against_plain.py.
"""

from __future__ import annotations

import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from neurogen.blocks.bernoulli_latent import BernoulliLatent, Candidates
from neurogen.config_fsvae import FSVAENeuronConfig

T, N, C, K = 9, 4, 5, 4


def made(schedule: str = "code", steps: int = T, passes: int = 10) -> BernoulliLatent:
    """Statistics and shifts moved so that about half of the prior's neurons fire."""
    torch.manual_seed(0)
    latent = BernoulliLatent(C, steps, K, (6, 7), schedule, "mmd", FSVAENeuronConfig()).double()
    for name, parameter in latent.named_parameters():
        if name.endswith("norm.bias"):
            nn.init.uniform_(parameter, 0.0, 0.3)
    for _ in range(passes):
        latent(drive(steps), None, 0.0)
    return latent


def drive(steps: int = T) -> Tensor:
    return (torch.rand(steps, N, C, generator=torch.Generator().manual_seed(1)) > 0.5).double()


class Fixed(nn.Module):
    """Stands for posterior or prior: candidate j of channel c fires where j < c, whatever comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Module()])
        self.stages[0].layer = nn.Linear(1, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        return (torch.arange(K) < torch.arange(C)[:, None]).double().expand(*x.shape[:-1], C, K)

    def step(self, x: Tensor) -> Tensor:
        return self(x[None])[0]


def test_a_uniform_number_takes_the_candidate_in_whose_share_it_lies() -> None:
    latent = made()
    latent.prior = Fixed()  # type: ignore[assignment]
    uniforms = torch.zeros(1, T * C, dtype=torch.float64)
    uniforms[0, :C] = torch.tensor([0.0, 0.24, 0.26, 0.74, 1 - 2**-53])  # candidates 0 0 1 2 3; those below c fire
    assert latent.draw(uniforms)[0, 0].tolist() == [0, 1, 1, 1, 1]
    uniforms[0, :C] = torch.tensor([0.0, 0.26, 0.51, 0.76, 0.99])
    assert latent.draw(uniforms)[0, 0].tolist() == [0, 0, 0, 0, 1]


def test_a_latent_is_1_as_often_as_its_group_fires() -> None:
    latent = made()
    latent.prior = Fixed()  # type: ignore[assignment]
    uniforms = torch.rand(2000, T * C, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    rates = latent.draw(uniforms).mean((0, 1))
    deviation = (0.25 / (2000 * T)) ** 0.5
    assert (rates - torch.tensor([0, 0.25, 0.5, 0.75, 1])).abs().max() < 4 * deviation


def test_the_gradient_goes_through_the_chosen_candidates_alone() -> None:
    latent = made()
    seen: list[Tensor] = []
    latent.posterior.register_forward_hook(lambda _m, _i, out: seen.append(out) if out.requires_grad else None)
    latents, _ = latent(drive(), None, 0.0)
    (found,) = seen
    (grad,) = torch.autograd.grad(latents.sum(), found)
    assert grad.sum(-1).eq(1).all() and grad.amax(-1).eq(1).all()
    assert torch.equal((grad * found).sum(-1), latents)
    assert len({int(i) for i in grad.argmax(-1).flatten()}) == K


@pytest.mark.parametrize("training", [True, False])
def test_what_is_drawn_to_be_fed_back_moves_no_statistics(training: bool) -> None:
    latent = made().train(training)
    before = [b.clone() for b in latent.buffers()]
    functional.reset_net(latent)
    posterior, prior = latent.posterior.stages[0].norm, latent.prior.stages[0].norm
    counted: list[int] = []
    for norm in (posterior, prior):
        norm.register_forward_hook(lambda m, _i, _o: counted.append(int(m.training)))
    latent(drive(), None, 4.5)
    assert counted.count(1) == 2 * training  # one pass of each over all steps
    assert len(counted) > T
    moved = [not torch.equal(a, b) for a, b in zip(before, latent.buffers(), strict=True)]
    assert any(moved) is training


def taught_with(latent: BernoulliLatent, progress: float) -> tuple[Tensor, Tensor]:
    """Latents (T - 1, N, C) of a pass, and what the prior saw in their place."""
    seen: list[Tensor] = []

    def keep(_m: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        if out.requires_grad:
            seen.append(inputs[0])

    handle = latent.prior.register_forward_hook(keep)
    latents, _ = latent(drive(latent.steps), None, progress)
    handle.remove()
    (inputs,) = seen
    assert inputs[0].eq(0).all()
    return latents.detach()[:-1], inputs[1:]


def test_the_prior_is_taught_with_the_posteriors_latents() -> None:
    latents, inputs = taught_with(made("paper"), 0.0)
    assert torch.equal(latents, inputs)
    assert 0.05 < float(latents.mean()) < 0.95


def test_as_released_replacements_start_at_the_sixth_step_and_are_thresholded_means() -> None:
    latent = made("code")
    latent.prior, fixed = Fixed(), latent.prior  # type: ignore[assignment]
    latent._scheduled(drive()[:-1], 0.0)
    replaced = latent._scheduled(torch.full((T - 1, N, C), 0.5, dtype=torch.float64), 4.5)  # p = 1
    assert replaced[:5].eq(0.5).all()
    assert replaced[5:, :, [0, 1, 3, 4]].eq(torch.tensor([0.0, 0, 1, 1])).all()  # means 0, 1/4, 3/4, 1
    tied = replaced[5:, :, 2]  # a mean of 1/2: the noise decides
    assert sorted(set(tied.flatten().tolist())) == [0, 1]
    latent.prior = fixed
    latents, inputs = taught_with(latent, 4.5)
    assert torch.equal(latents[:5], inputs[:5])
    assert not torch.equal(latents[5:], inputs[5:])


def test_as_in_the_paper_replacements_start_at_once_and_are_draws() -> None:
    latent = made("paper")
    latent.prior = Fixed()  # type: ignore[assignment]
    replaced = latent._scheduled(torch.full((T - 1, N, C), 0.5, dtype=torch.float64), 1 / 0.3)  # p = 1
    assert replaced.ne(0.5).all()
    quarter = replaced[:, :, 1]
    assert 0 < float(quarter.mean()) < 0.6


@pytest.mark.parametrize(("schedule", "progress", "share"), [("code", 0.5, 0.2), ("paper", 0.5, 0.15)])
def test_steps_are_replaced_as_often_as_the_schedule_says(schedule: str, progress: float, share: float) -> None:
    latent = made(schedule, steps=2005, passes=0)
    latent.prior = Fixed()  # type: ignore[assignment]
    replaced = latent._scheduled(torch.full((2004, 1, C), 0.5, dtype=torch.float64), progress)
    steps = replaced[5:, 0, 0].ne(0.5)  # a whole batch at a time
    assert replaced[5:, 0].ne(0.5).all(1).eq(steps).all()
    assert abs(float(steps.double().mean()) - share) < 4 * (share / 2000) ** 0.5


def test_in_eval_mode_the_prior_is_taught_without_replacements() -> None:
    latent = made("code").eval()
    x = drive()[:-1]
    assert latent._scheduled(x, 4.5) is x


def test_candidates_go_on_where_they_stopped() -> None:
    torch.manual_seed(0)
    f = Candidates(C, (6, 7), C, K, FSVAENeuronConfig()).double()
    for _ in range(10):
        f(drive())
        functional.reset_net(f)
    whole = f.eval()(drive())
    functional.reset_net(f)
    assert torch.equal(torch.stack([f.step(x) for x in drive()]), whole)
    assert whole.shape == (T, N, C, K)
    assert not torch.equal(f.step(drive()[0]), whole[0])  # membranes are kept
