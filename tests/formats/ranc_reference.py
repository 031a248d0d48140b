"""RANC's published semantics, slowly: a scheduler of words a core, an axon after the other, a neuron after the other.

Written from the description of UA-RCL/RANC@08ae4bd's simulator; knows its two JSON files and nothing else.
"""


class Core:
    """One core: the words of its scheduler, the types of its axons, its neurons' memory."""

    def __init__(self, entry, architecture):
        self.x, self.y = entry["coordinates"]
        self.instructions = entry["axons"]
        self.neurons = [dict(neuron) for neuron in entry["neurons"]]
        self.connections = entry["connections"]
        self.words = [[0] * architecture["num_axons"] for _ in range(architecture["max_tick_offset"])]
        self.current = architecture["max_tick_offset"] - 1
        self.symmetric = architecture["neuron_reset_type"] == 1

    def prepare(self):
        self.current = (self.current + 1) % len(self.words)

    def receive(self, tick, axon):
        word = (self.current + tick + 1) % len(self.words)
        assert word != self.current, "a packet for the word being read"
        assert not self.words[word][axon], "two packets for one axon and tick"
        self.words[word][axon] = 1

    def run(self, send):
        """Integrate, leak, compare and reset, for each neuron in turn; gives who spiked."""
        arrived, fired = self.words[self.current], []
        for number, (neuron, connected) in enumerate(zip(self.neurons, self.connections, strict=True)):
            potential = neuron["current_potential"]
            for axon, spike in enumerate(arrived):
                if spike and connected[axon]:
                    potential += neuron["weights"][self.instructions[axon]]
            potential += neuron["leak"]
            if potential >= neuron["positive_threshold"]:
                fired.append(number)
                dx, dy = neuron["destination_core_offset"]
                send(self.x + dx, self.y + dy, neuron["destination_axon"], neuron["destination_tick"])
            neuron["current_potential"] = self.after(neuron, potential)
        self.words[self.current] = [0] * len(arrived)
        return fired

    def after(self, neuron, potential):
        """What is left of a potential: reset_mode 0 puts it to a value, 1 takes the threshold away."""
        if potential >= neuron["positive_threshold"]:
            linear = potential - neuron["positive_threshold"]
            return linear if neuron["reset_mode"] == 1 else neuron["reset_potential"]
        below = (
            potential <= neuron["negative_threshold"] if self.symmetric else potential < neuron["negative_threshold"]
        )
        if below:
            linear = potential - neuron["negative_threshold"]
            return linear if neuron["reset_mode"] == 1 else -neuron["reset_potential"]
        return potential


def simulate(content, architecture, packets, ticks):
    """Run ticks 1 … `ticks`; packets[t] are sent before tick 1 (t = 0) or in tick t, before the cores run.

    Gives, tick by tick, the neurons that spiked as (x, y, neuron), and the active lines of the output bus.
    """
    cores = {tuple(entry["coordinates"]): Core(entry, architecture) for entry in content["cores"]}
    bus_place, size = tuple(content["output_bus"]["coordinates"]), content["output_bus"]["num_outputs"]
    assert bus_place not in cores and bus_place[0] < architecture["num_cores_x"]
    spikes, lines = [], []

    def send(x, y, axon, tick):
        assert 0 <= tick < architecture["max_tick_offset"]
        if (x, y) == bus_place:
            assert 0 <= axon < size and axon not in lines[-1]
            lines[-1].append(axon)
        else:
            cores[x, y].receive(tick, axon)

    def inject(tick):
        for packet in packets[tick] if tick < len(packets) else ():
            send(*packet["destination_core"], packet["destination_axon"], packet["destination_tick"])

    inject(0)
    for tick in range(1, ticks + 1):
        lines.append([])
        for core in cores.values():
            core.prepare()
        inject(tick)
        spikes.append([(core.x, core.y, n) for core in cores.values() for n in core.run(send)])
    return spikes, lines
