"""One step of 16 neurons, or of one neuron in 16 samples, as vector instructions: `neuro.dynamics.step`, bit for bit.

The operations are those of the reference in the same order, none is fused; what a model does not have is jumped over.
Sixteen neurons have constants of their own; the samples of one neuron share them, which is a sixteenth of what is read.
"""

from __future__ import annotations

from functools import reduce

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from neuro.dynamics.flat import (
    ADAPTATION,
    BETA,
    BIAS,
    CURRENT,
    DECAY_A,
    DECAY_SYN,
    EXPONENTIAL,
    FLOOR,
    FRACTION,
    HOLDS,
    KIND_OF_LEAK,
    LEAK,
    LINEAR,
    NO_ADAPTATION,
    PER_UNIT,
    RESTS,
    SHIFT,
    SYN,
    THETA,
    THRESHOLD,
    TO_VALUE,
    UNIT,
    V_RESET,
    A,
    V,
)
from neuro.jit.vector import (
    COUNTS,
    INDEX,
    LANES,
    MASK,
    VECTOR,
    WORD,
    ZERO,
    either,
    load,
    loop,
    pointers,
    signed,
    splat,
    store,
)

WIDE = ir.VectorType(ir.DoubleType(), LANES)
NOTHING, ONCE = (ir.Constant(COUNTS, [n] * LANES) for n in range(2))
ONE = ir.Constant(VECTOR, [1.0] * LANES)
PLAIN = {KIND_OF_LEAK: EXPONENTIAL, ADAPTATION: NO_ADAPTATION}
VERSIONS = [(PLAIN | {RESTS: rests}, currents) for currents in (1, 2) for rests in (0, 1)]  # written without the rest


@intrinsic
def advance(typing, choices, constants, resting, k, state, refractory, low, high, sums, at, fired):
    """Advance vectors low … high − 1 of state [·, 2 + C, 16] and refractory [·, 16] by a step.

    All have the constants of vector k of [·, 9 + C, 16] and resting [·, 16]. Current c of vector n gets the 16 numbers of
    sums from at + 16 · (n · C + c) on, which become 0. Who fires goes to fired, a word of bits a vector.
    """

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        chosen = {choice: load(b, data[0], INDEX(choice)) for choice in range(RESTS + 1)}
        currents = b.sub(b.extract_value(make_array(signature.args[4])(context, b, args[4]).shape, 1), INDEX(SYN))
        _choose(b, chosen, currents, VERSIONS, lambda *known: _advance_all(b, data, args, *known))
        return context.get_dummy_value()

    return signed(types.void, choices, constants, resting, k, state, refractory, low, high, sums, at, fired), code


@intrinsic
def advance_samples(typing, choices, constants, resting, k, state, refractory, n, sums, at, u, u_at):
    """Advance one neuron in 16 samples, vector n of state and refractory; gives who fires, as the bits of a word.

    Its constants are row k of [·, 9 + C] and resting [·]. Current c gets the 16 numbers of sums from at + 16 · c on. What
    the membranes come to before they fire goes to u, from u_at on.
    """

    def code(context, b, signature, args):
        data = pointers(context, b, signature, args)
        choices, constants, resting, _, state, refractory, _, sums, _, u, _ = data
        rows = b.extract_value(make_array(signature.args[4])(context, b, args[4]).shape, 1)
        place = b.mul(args[3], b.add(rows, INDEX(DECAY_SYN - SYN)))
        step = _Step(
            b,
            lambda choice: load(b, choices, INDEX(choice)),
            lambda row: splat(b, load(b, constants, b.add(place, _index(row)))),
            lambda: splat(b, load(b, resting, args[3])),
            _row_of(b, state, VECTOR, b.mul(args[6], rows)),
            _row_of(b, refractory, COUNTS, args[6]),
        )
        drive = b.bitcast(b.gep(sums, [args[8]]), VECTOR.as_pointer())
        reached = step.reached(lambda c: b.load(b.gep(drive, [c]), align=4), b.sub(rows, INDEX(SYN)))
        store(b, u, args[10], reached)
        return b.bitcast(step.fire(reached), WORD)

    return signed(types.uint16, choices, constants, resting, k, state, refractory, n, sums, at, u, u_at), code


def _choose(b, chosen, currents, versions, emit) -> None:
    """Emit the first of versions whose choices and number of currents are those there are; else what does for all."""
    if not versions:
        emit(chosen, currents)
        return
    (known, number), *others = versions
    fits = b.icmp_signed("==", currents, INDEX(number))
    for choice, value in known.items():
        fits = b.and_(fits, b.icmp_signed("==", chosen[choice], INDEX(value)))
    with b.if_else(fits) as (then, otherwise):
        with then:
            emit(chosen | known, number)
        with otherwise:
            _choose(b, chosen, currents, others, emit)


def _advance_all(b, data, args, chosen, currents) -> None:
    """Advance a run of vectors; choices and constants are read before the first."""
    _, constants, resting, _, state, refractory, _, _, sums, _, fired = data
    number = _index(currents)
    own = _row_of(b, constants, VECTOR, b.mul(args[3], b.add(number, INDEX(DECAY_SYN))))
    of_currents = range(DECAY_SYN, DECAY_SYN + currents) if isinstance(currents, int) else ()
    kept = {row: b.load(b.gep(own, [INDEX(row)]), align=4) for row in (*range(DECAY_SYN), *of_currents)}
    rests = b.load(_row_of(b, resting, COUNTS, args[3]), align=4)

    def body(b, n, _):
        step = _Step(
            b,
            chosen.__getitem__,
            lambda row: kept[row] if isinstance(row, int) else b.load(b.gep(own, [row]), align=4),
            lambda: rests,
            _row_of(b, state, VECTOR, b.mul(n, b.add(number, INDEX(SYN)))),
            _row_of(b, refractory, COUNTS, n),
        )
        drive = _row_of(b, b.gep(sums, [args[9]]), VECTOR, b.mul(n, number))

        def taken(c):
            place = b.gep(drive, [c])
            value = b.load(place, align=4)
            b.store(ZERO, place, align=4)
            return value

        b.store(b.bitcast(step.fire(step.reached(taken, currents)), WORD), b.gep(fired, [n]))
        return []

    loop(b, args[6], args[7], [], body)


def _index(number):
    return number if isinstance(number, ir.Value) else INDEX(number)


def _row_of(b, array, kind, place):
    """Where number `place` of an array of a type begins."""
    return b.gep(b.bitcast(array, kind.as_pointer()), [place])


def _call(b, name: str, x):
    """An operation of the processor on each of 16 numbers."""
    return b.call(get_or_insert_function(b.module, ir.FunctionType(x.type, [x.type]), name), [x])


class _Step:
    """Writes the parts of a step for 16 places; state and refractory begin where theirs do.

    choice(place), constant(row) and resting() give what stands there; a choice known beforehand is a plain number, and
    what it rules out is not written.
    """

    def __init__(self, b, choice, constant, resting, state, refractory):
        self.b, self.choice, self.constant, self.resting = b, choice, constant, resting
        self.state, self.refractory = state, refractory

    def _old(self, row):
        return self.b.load(self.b.gep(self.state, [_index(row)]), align=4)

    def _keep(self, row, value) -> None:
        self.b.store(value, self.b.gep(self.state, [_index(row)]), align=4)

    def _is(self, choice: int, *values: int):
        """Whether a choice is one of some values: a plain truth where it is known."""
        have = self.choice(choice)
        if isinstance(have, int):
            return have in values
        is_one = [self.b.icmp_signed("==", have, INDEX(value)) for value in values]
        return reduce(self.b.or_, is_one)

    def _either(self, condition, one, other):
        if isinstance(condition, bool):
            return one() if condition else other()
        return either(self.b, condition, lambda: [one()], lambda: [other()])[0]

    def reached(self, drive, currents):
        """What the membranes come to before they fire; drive(c) gives what arrives for a current."""
        b = self.b
        u = self.adapted(b.fadd(self.driven(self.leaked(), drive, currents), self.constant(BIAS)))
        return b.select(b.fcmp_ordered(">", u, self.constant(FLOOR)), u, self.constant(FLOOR))

    def leaked(self):
        """u = leak(v)."""
        b, v, amount = self.b, self._old(V), self.constant(LEAK)

        def to_zero():
            size = b.fsub(b.select(b.fcmp_ordered(">", v, ZERO), v, b.fneg(v)), amount)
            size = b.select(b.fcmp_ordered(">", size, ZERO), size, ZERO)
            return b.select(b.fcmp_ordered(">", v, ZERO), size, b.fneg(size))

        def linear():
            return self._either(self._is(KIND_OF_LEAK, LINEAR), lambda: b.fsub(v, amount), to_zero)

        def without_exponent():
            return self._either(self._is_whole(), lambda: self._whole_left(v, amount), linear)

        return self._either(self._is(KIND_OF_LEAK, EXPONENTIAL), lambda: b.fmul(v, amount), without_exponent)

    def _is_whole(self):
        return self._is(KIND_OF_LEAK, FRACTION, SHIFT)

    def _whole_left(self, x, decay):
        """What a step leaves of whole numbers of units: `fraction_left` or `shift_left_over` of `neuro.dynamics.step`."""
        b, unit, per_unit = self.b, self.constant(UNIT), self.constant(PER_UNIT)

        def fraction():
            product = b.fmul(b.fmul(b.fpext(x, WIDE), b.fpext(decay, WIDE)), b.fpext(per_unit, WIDE))
            return b.fmul(b.fptrunc(_call(b, "llvm.trunc.v16f64", product), VECTOR), unit)

        def shift():
            share = b.fmul(b.fsub(ONE, decay), per_unit)
            part = _call(b, "llvm.floor.v16f32", b.fmul(x, share))
            least = b.select(b.fcmp_ordered(">", part, ONE), part, ONE)
            part = b.select(b.fcmp_ordered(">", x, ZERO), least, part)
            return b.fsub(x, b.fmul(part, unit))

        return self._either(self._is(KIND_OF_LEAK, FRACTION), fraction, shift)

    def driven(self, u, drive, currents):
        """i_k = decay_k · i_k + c_k, or its whole numbers leak;  u + i_1 + i_2 + …"""

        def add_current(b, c, values):
            row, decay_row = (
                b.add(c, INDEX(first)) if isinstance(c, ir.Value) else c + first for first in (SYN, DECAY_SYN)
            )
            old, decay = self._old(row), self.constant(decay_row)
            decayed = self._either(self._is_whole(), lambda: self._whole_left(old, decay), lambda: b.fmul(old, decay))
            i = b.fadd(decayed, drive(_index(c)))
            self._keep(row, i)
            return [b.fadd(values[0], i)]

        if isinstance(currents, int):
            for c in range(currents):
                (u,) = add_current(self.b, c, [u])
            return u
        return loop(self.b, INDEX(0), currents, [u], add_current)[0]

    def _scaled_adaptation(self):
        return self.b.fmul(self.constant(BETA), self._old(A))

    def adapted(self, u):
        """u − β·a for current adaptation."""
        adapts = self._is(ADAPTATION, CURRENT)
        return self._either(adapts, lambda: self.b.fsub(u, self._scaled_adaptation()), lambda: u)

    def fire(self, u):
        """z = u ≥ θ, θ + β·a for threshold adaptation, where ready; then reset, refractory period and adaptation."""
        b, theta = self.b, self.constant(THETA)
        adapts = self._is(ADAPTATION, THRESHOLD)
        limit = self._either(adapts, lambda: b.fadd(theta, self._scaled_adaptation()), lambda: theta)
        above = b.fcmp_ordered(">=", u, limit)
        value = self.constant(V_RESET)
        jump = b.select(self._all(TO_VALUE), value, b.fsub(u, theta))
        fires, v = self._fired(above, u, jump, value)
        self._keep(V, v)
        none = self._is(ADAPTATION, NO_ADAPTATION)
        if none is not True:
            with b.if_then(b.not_(none)):
                decayed = b.fmul(self.constant(DECAY_A), self._old(A))
                self._keep(A, b.fadd(decayed, b.select(fires, ONE, ZERO)))
        return fires

    def _fired(self, above, u, jump, value):
        """Who fires, and v."""

        def rested():
            return self._rested(above, u, jump, value)

        def ready():
            return [above, self.b.select(above, jump, u)]

        rests = self._is(RESTS, 1)
        if isinstance(rests, bool):
            return rested() if rests else ready()
        return either(self.b, rests, rested, ready)

    def _rested(self, above, u, jump, value):
        """Who fires and v where neurons rest; refractory = refractory_steps where z, else max(refractory − 1, 0)."""
        b = self.b
        left = b.load(self.refractory, align=4)
        ready = b.icmp_signed("==", left, NOTHING)
        fires = b.and_(above, ready)
        v = b.select(b.or_(ready, b.not_(self._all(HOLDS))), b.select(fires, jump, u), value)
        less = b.sub(left, ONCE)
        less = b.select(b.icmp_signed(">", less, NOTHING), less, NOTHING)
        b.store(b.select(fires, self.resting(), less), self.refractory, align=4)
        return [fires, v]

    def _all(self, choice: int):
        """A choice, 0 or 1, as 16 flags."""
        b = self.b
        bits = b.sext(self._is(choice, 1), WORD)
        return b.bitcast(bits, MASK)
