"""From a trained spiking network to neuromorphic hardware: lava-dl netx / Loihi 2 networks and NIR."""
