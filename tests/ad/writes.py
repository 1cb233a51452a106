"""Programs that write in place, each form in at least one of them.

`CASES` gives each its arguments; all are differentiated with respect to every argument of floats.
"""

from tests.ad import writes_in_loops_and_calls, writes_of_elements, writes_through_views
from tests.ad.cases import some
from tests.ad.writes_in_loops_and_calls import two_buffers
from tests.ad.writes_of_elements import element, element_of_the_argument, single, slices
from tests.ad.writes_through_views import containers_of_the_argument, rows_of_a_loop

CASES = writes_of_elements.CASES | writes_through_views.CASES | writes_in_loops_and_calls.CASES

__all__ = [
    "CASES",
    "containers_of_the_argument",
    "element",
    "element_of_the_argument",
    "rows_of_a_loop",
    "single",
    "slices",
    "some",
    "two_buffers",
]
