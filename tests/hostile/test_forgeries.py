"""Forged messages: Arrow that is none, pickles, frames out of turn, last words that blame the machine."""

import json
import resource
from collections.abc import Callable

import pytest

from fourfold.suite.visit import Visit

attack = pytest.mark.attack
READ = "an answer is validated in full before it is believed"
TURN = "a frame is taken in its turn alone"
TOP = """
import pickle
import pyarrow as pa
from fourfold.suite import boundary

def stream(column, metadata={"kind": "array", "shape": "[50]"}, options=None):
    field = pa.field("answer", column.type, metadata=metadata)
    sink = pa.BufferOutputStream()
    schema = pa.schema([field], metadata={"record": "Record"})
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_batch(pa.record_batch([column], schema=schema))
    return sink.getvalue().to_pybytes()

def listed(ends, values):
    return pa.Array.from_buffers(pa.large_list(values.type), 1, [None, pa.py_buffer(np.array(ends, np.int64))],
                                 children=[values])

def ending(*ends):
    good, bad = (struct.pack("<qq", *each) for each in ((0, 50), ends))
    before, _, after = stream(listed([0, 50], pa.array(np.zeros(50)))).rpartition(good)
    return before + bad + after

def answered(body):
    send(frame(b"A", body), frame(b"L", b"[]"))
    boundary.send = lambda *_: None
"""


@pytest.fixture
def answer(strike) -> Callable[[str], Visit]:
    """Runs a method that sends a forged answer to ``predict``: whatever bytes an expression makes."""
    return lambda body, before="pass": strike(top=TOP, predict=f"{before}\nanswered({body})")


@attack(both=READ)
def test_answers_a_list_that_ends_outside_of_its_values(answer, judge):
    judge(answer("ending(0, 1 << 40)").status != "invalid-output")


@attack(both=READ)
def test_answers_a_list_that_begins_before_its_values(answer, judge):
    judge(answer("ending(-50, 0)").status != "invalid-output")


@attack(both=READ)
def test_answers_a_length_that_is_not_there(answer, judge):
    judge(answer("stream(listed([0, 50], pa.array(np.zeros(50)))).replace((400).to_bytes(8, 'little'), "
                 "(1 << 40).to_bytes(8, 'little'))").status != "invalid-output")


@attack(both=READ)
def test_answers_a_shape_that_multiplies_beyond_all_bounds(answer, judge):
    shape = json.dumps({"kind": "array", "shape": "[4294967296, 4294967296, 0]"})
    judge(answer(f"stream(listed([0, 50], pa.array(np.zeros(50))), {shape})").status != "invalid-output")


@attack(both=READ)
def test_answers_a_negative_shape(answer, judge):
    shape = json.dumps({"kind": "array", "shape": "[-50, -1]"})
    judge(answer(f"stream(listed([0, 50], pa.array(np.zeros(50))), {shape})").status != "invalid-output")


@attack(both=READ)
def test_answers_nulls(answer, judge):
    judge(answer("stream(listed([0, 50], pa.array([None] * 50, pa.float64())))").status != "invalid-output")


@attack(both=READ)
def test_answers_an_extension_type(answer, judge):
    name = "'ARROW:extension:name': 'arrow.py_extension_type', 'ARROW:extension:metadata': pickle.dumps(print)"
    body = f"stream(listed([0, 50], pa.array(np.zeros(50))), {{{name}, 'kind': 'array', 'shape': '[50]'}})"
    judge(answer(body).status != "invalid-output")


@attack(both=READ)
def test_answers_a_dictionary(answer, judge):
    judge(answer("stream(pa.array(['x'] * 1).dictionary_encode())").status != "invalid-output")


@attack(both=READ)
def test_answers_views_of_one_value(answer, judge):
    judge(answer("stream(pa.array([[0.0]] * 1, pa.list_view(pa.float64())))").status != "invalid-output")


@attack(both="what is compressed is refused before it is inflated")
def test_answers_a_quarter_of_a_gigabyte_in_kilobytes(answer, judge):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = answer("stream(listed([0, 1 << 25], pa.array(np.zeros(1 << 25))), options=pa.ipc.IpcWriteOptions("
                  "compression='zstd'))")
    judge(seen.status != "invalid-output" or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > before + (200 << 10))


@attack(both="nothing unpickles")
def test_answers_a_pickle(answer, judge, tmp_path):
    judge(answer("pickle.dumps(Bomb())", f"""
class Bomb:
    def __reduce__(self):
        return os.system, ('touch {tmp_path / "exploded"}',)
""").status != "invalid-output" or (tmp_path / "exploded").exists())


@attack(both="nothing unpickles")
def test_answers_an_array_of_objects(strike, judge):
    seen = strike(predict="return np.array([type('Bomb', (), {'__reduce__': lambda s: (print, ())})()] * 50)")
    judge(seen.status != "invalid-output")


@attack(both="what is not finite, or out of bounds, is refused")
def test_answers_what_is_no_probability(strike, judge):
    wrong = ("np.nan", "-np.inf", "1.0001")
    judge({strike(predict=f"return np.full(50, {value})").status for value in wrong} != {"invalid-output"})


@attack(both=READ)
def test_answers_an_object_that_pretends_to_be_an_array(strike, judge):
    seen = strike(predict="""
        class Array(np.ndarray):
            dtype = property(lambda self: np.dtype('f8'))
            shape = property(lambda self: (50,))
        return np.zeros(3).view(Array)
    """)
    judge(seen.status == "ok" and seen.answers[1].shape != (50,))


@attack(both=TURN)
def test_says_it_is_ready_again(strike, judge):
    judge(strike("send(frame(b'R', b'model'))").status != "invalid-output")


@attack(both=TURN)
def test_answers_all_asks_at_once(strike, judge):
    seen = strike("""
        from fourfold.suite.boundary import encode
        answer = frame(b'A', encode({'answer': np.ones(50)}))
        send(frame(b'A'), frame(b'L', b'[]'), frame(b'V'), answer, frame(b'L', b'[]'), frame(b'S', b'1'))
        os._exit(0)
    """)
    judge(seen.status == "ok")


@attack(both=TURN)
def test_sends_frames_of_the_suites(strike, judge):
    judge({strike(f"send(frame(b{tag!r}, b'x'))").status for tag in "OKDW"} != {"invalid-output"})


@attack(both="it is told whether it has a curator; calls on none are refused")
def test_calls_on_a_curator_that_it_lacks(strike, judge):
    judge(strike("send(frame(b'C', b'x'))").status != "invalid-output")


@attack(both="a ledger is held to its grammar")
def test_forges_a_ledger_that_is_none(strike, judge):
    wrong = ('[["gaussian", -1, 0.1, 1, "poisson", "record"]]', '[["magic", 1, 0.1, 1, "poisson", "record"]]',
             '[["gaussian", 1, 0.1, 1e400, "poisson", "record"]]', "[" * 100_000, '[["gaussian", NaN, 0.1, 1, "full"]]')
    forged = "send(frame(b'A'), frame(b'L', {!r}.encode())); time.sleep(5)"
    judge({strike(forged.format(text)).status for text in wrong} != {"invalid-output"})


@attack(both="last words are text, of so many letters")
def test_forges_last_words_that_are_no_text(strike, judge):
    words = ("[" * 10_000, '{"kind": 1}', "\\xff", '{"kind": {}, "text": [], "where": 7}')
    judge({strike(f"send(frame(b'E', {text!r}.encode('latin-1')))").status for text in words} != {"failed"})


@attack(both="it costs it another try, and then it has failed")
def test_blames_the_machine(strike, judge):
    words = json.dumps({"kind": "ConfinementError", "text": "this machine lets no guest be confined", "where": ""})
    judge(strike(f"send(frame(b'E', {words.encode()!r})); time.sleep(60)").status != "failed")


@attack(both="it has failed: what ends as memory does that runs out is the method's")
def test_dies_as_though_the_machine_had_ended_it(strike, judge):
    judge(strike("os.kill(os.getpid(), signal.SIGKILL)").status not in ("failed", "out-of-memory"))


@attack(both="the state is counted by the guest, which may say anything; it is no more than a number")
def test_forges_a_count_that_is_no_number(strike, judge):
    seen = strike(predict="""
        from fourfold.suite import state
        state.count = lambda method: -1e300
        return np.full(50, 0.5)
    """)
    judge(seen.status != "ok" or seen.parameters is not None)


@attack(both="evidence of nothing private is not asked for: its length is read before it is")
def test_sends_evidence_that_nobody_asked_for(strike, judge):
    seen = strike("send(frame(b'A'), frame(b'L', b'[]'), frame(b'V', bytes(1 << 20))); time.sleep(5)")
    judge("its evidence has 1,048,576 bytes where at most 0 were agreed" not in seen.reason)


@attack(both="the board's rows are the suite's; evidence is held to its grammar")
def test_forges_evidence_that_is_none(strike, judge):
    seen = strike("send(frame(b'A'), frame(b'L', b'[]'), frame(b'V', b'ARROW1' * 100)); time.sleep(5)")
    judge(seen.status != "invalid-output")
