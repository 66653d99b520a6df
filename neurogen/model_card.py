"""A model folder's README.md: what it is, how it was trained, what was measured, whose licence its data have."""

from __future__ import annotations

from typing import Any

from event_tools.dvs_cifar10 import SPLIT_RULE

SPLIT_RULES = {"dvs_cifar10": SPLIT_RULE}  # of sets that have no official split
DATA_LICENCES = {
    "digits": "CC BY 4.0 (Alpaydin and Kaynak, UCI, as in scikit-learn)",
    "nmnist": "CC BY-SA 4.0 (Orchard et al. 2015)",
    "mnist": "CC BY-SA 3.0 (LeCun, Cortes, Burges)",
    "fashion": "MIT (Zalando SE)",
    "cifar10": "none stated (Krizhevsky 2009)",
    "lsun_bedroom": "none stated (Yu et al. 2015)",
    "lsun_church": "none stated (Yu et al. 2015)",
    "dvs_cifar10": "as its figshare page says (Li et al. 2017); images: CIFAR-10, none stated",
    "celeba": "non-commercial research only (Liu et al. 2015)",
    "celeba_hq": "CC BY-NC 4.0 (Karras et al. 2018); CelebAMask-HQ's pictures: non-commercial research and education",
}


def model_card(description: dict[str, Any]) -> str:
    """README.md of a folder whose config.yaml says `description`."""
    stage1, prior, data = description["first_stage"], description["prior"], description["data"]
    lines = [
        f"# {stage1['system']} on {stage1['data']['name']}",
        "",
        f"A spiking generative model made with neurogen: VQ-VAE of the {stage1['model']['kind']} kind, "
        + ("with a spiking transformer prior." if prior else "first stage only (no prior)."),
        "",
        f"- data: {stage1['data']['name']}, {sum(data['label_counts'])} training items, {len(data['classes'])} classes",
        f"- time steps: {stage1['model']['steps']}; codes: {_codes(stage1['codebook'])}",
        f"- first stage: {stage1['train']['steps']} steps of {stage1['train']['batch_size']}, seed {stage1['seed']}",
    ]
    if rule := SPLIT_RULES.get(stage1["data"]["name"]):
        lines.append(f"- split: {rule}")
    if prior:
        lines.append(
            f"- prior: {prior['train']['steps']} steps of {prior['train']['batch_size']}, seed {prior['seed']}"
        )
    lines += [f"- {key}: {value}" for key, value in description["card"].items()]
    licence = DATA_LICENCES.get(stage1["data"]["name"], "that of your data")
    lines += [
        f"- data licence: {licence}",
        "- code licence: Apache-2.0",
        "",
        "```python",
        "import neurogen",
        'samples = neurogen.load("this/folder").sample(16)' if prior else 'model = neurogen.load("this/folder")',
        "```",
        "",
    ]
    return "\n".join(lines)


def _codes(codebook: dict[str, Any]) -> str:
    kind, rows = codebook["kind"], f"one of {codebook['size']} rows"
    if kind == "spike":
        return f"spikes of {codebook['width']} neurons a site"
    if kind in ("temporal", "repeated"):
        return f"{rows} a site for all steps" + (", the same at each" if kind == "repeated" else "")
    return f"{rows} a site and step"
