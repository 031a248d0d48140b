"""A DYNAP-SE1 board event by event: it knows CAM and SRAM words of samna's objects, and nothing of tables or plans."""

from collections import Counter, defaultdict

SIDE = 2  # chips along each axis; chip = row * 2 + column


class Board:
    """Routes spikes the way the chips do; `configuration` is a filled Dynapse1Configuration."""

    def __init__(self, configuration):
        self.chips = configuration.chips
        self.cams = defaultdict(list)
        for c, chip in enumerate(self.chips):
            for k, core in enumerate(chip.cores):
                for n, neuron in core.neurons.items():
                    for word in neuron.synapses:
                        tag = (word.listen_core_id, word.listen_neuron_id)
                        self.cams[c, k, tag].append((n, int(word.syn_type)))

    def spike(self, chip, core, neuron):
        """What one spike of a neuron does: {(chip, core, neuron, type): words that fire}."""
        fired = Counter()
        for number, row in enumerate(self.chips[chip].cores[core].neurons[neuron].destinations):
            if number == 0:
                assert row.in_use and row.target_chip_id == 16, "the first row belongs to the monitor"
            elif row.in_use:
                fired += self.broadcast(self.travel(chip, row), row.core_mask, (row.virtual_core_id, neuron))
        return fired

    def travel(self, chip, row):
        """Follow the header over the board; the address in the row is for people and tools alone."""
        x = chip % SIDE + (-row.dx if row.sx else row.dx)
        y = chip // SIDE + (row.dy if row.sy else -row.dy)
        assert 0 <= x < SIDE and 0 <= y < SIDE, f"an event left the board from chip {chip}"
        return y * SIDE + x

    def generator(self, event):
        """What an event of the FPGA's spike generator does."""
        return self.broadcast(event.target_chip, event.core_mask, (event.neuron_id >> 8, event.neuron_id & 255))

    def broadcast(self, chip, mask, tag):
        assert tag != (0, 0), "an event with tag 0 fires every empty word"
        hit = Counter()
        for core in range(4):
            if mask >> core & 1:
                hit.update((chip, core, neuron, kind) for neuron, kind in self.cams.get((chip, core, tag), ()))
        return hit
