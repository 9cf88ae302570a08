"""The list of `make mutants` fits today's code; the mutants themselves take minutes."""

import pytest

from tests.mutants import MUTANTS, ROOT, Mutant, names_of_tests


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code(mutant: Mutant) -> None:
    before = (ROOT / mutant.file).read_text(encoding="utf-8")

    assert before.count(mutant.old) == 1
    assert mutant.old != mutant.new
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert name in names_of_tests(ROOT / file)
