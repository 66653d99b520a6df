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


SYSTEMS = {
    "tts_vqvae": "a spiking VQ-VAE with a temporal codebook (arXiv 2405.14474)",
    "fsvae": "a fully spiking VAE (Kamata et al., AAAI 2022)",
    "vae": "a VAE without spikes, to compare the spiking ones with",
    "sgan": "a spiking GAN (arXiv 2305.10246)",
    "swgan": "a spiking Wasserstein GAN (arXiv 2305.10246)",
    "sgad": "a spiking GAN with attention scoring decoding (arXiv 2305.10246)",
    "sae": "a spiking autoencoder (snnTorch's tutorial)",
}


def model_card(description: dict[str, Any]) -> str:
    """README.md of a folder whose config.yaml says `description`."""
    two_stages = "first_stage" in description
    config, prior = description["first_stage" if two_stages else "network"], description["prior"]
    data, name = description["data"], config["data"]["name"]
    kind = "A" if config["system"] == "vae" else "A spiking"
    lines = [
        f"# {config['system']} on {name}",
        "",
        f"{kind} generative model made with neurogen: {SYSTEMS[config['system']]}"
        + (_stages(config, prior) if two_stages else "."),
        "",
        f"- data: {name}, {sum(data['label_counts'])} training items, {len(data['classes'])} classes",
        f"- time steps: {config['model']['steps']}" + (f"; codes: {_codes(config['codebook'])}" if two_stages else ""),
        f"- {'first stage' if two_stages else 'training'}: {_trained(config)}",
    ]
    if rule := SPLIT_RULES.get(name):
        lines.append(f"- split: {rule}")
    if prior:
        lines.append(f"- prior: {_trained(prior)}")
    lines += [f"- {key}: {value}" for key, value in description["card"].items()]
    samples = not two_stages or prior
    lines += [
        f"- data licence: {DATA_LICENCES.get(name, 'that of your data')}",
        "- code licence: Apache-2.0",
        "",
        "```python",
        "import neurogen",
        'samples = neurogen.load("this/folder").sample(16)' if samples else 'model = neurogen.load("this/folder")',
        "```",
        "",
    ]
    return "\n".join(lines)


def _stages(config: dict[str, Any], prior: dict[str, Any] | None) -> str:
    return f" of the {config['model']['kind']} kind, " + (
        "with a spiking transformer prior." if prior else "first stage only (no prior)."
    )


def _trained(config: dict[str, Any]) -> str:
    return f"{config['train']['steps']} steps of {config['train']['batch_size']}, seed {config['seed']}"


def _codes(codebook: dict[str, Any]) -> str:
    kind, rows = codebook["kind"], f"one of {codebook['size']} rows"
    if kind == "spike":
        return f"spikes of {codebook['width']} neurons a site"
    if kind in ("temporal", "repeated"):
        return f"{rows} a site for all steps" + (", the same at each" if kind == "repeated" else "")
    return f"{rows} a site and step"
