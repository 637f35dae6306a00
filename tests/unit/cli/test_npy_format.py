import io

import numpy
import pytest

from cli.npy_format import npy_bytes


@pytest.mark.parametrize("vectors", [[[1.5, -2.0, 0.0]], [[0.1] * 384] * 5, [[float(n)] for n in range(1000)]])
def test_numpy_reads_what_was_written(vectors: list[list[float]]) -> None:
    read = numpy.load(io.BytesIO(npy_bytes(vectors)), allow_pickle=False)

    assert read.dtype == numpy.float32
    assert numpy.array_equal(read, numpy.array(vectors, dtype=numpy.float32))


def test_numpy_writes_the_same_bytes() -> None:
    vectors = [[1.0, 2.0], [3.0, 4.0]]
    written = io.BytesIO()
    numpy.save(written, numpy.array(vectors, dtype="<f4"))

    assert npy_bytes(vectors) == written.getvalue()
