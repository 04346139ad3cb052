from __future__ import annotations

import uvloop

from tfaas_core.testing.engine import EngineContract
from tfaas_core.testing.forked import model_processes
from tfaas_core.testing.suites.engine.door import DoorFactory


class TestThroughADoor(EngineContract):
    """The contract of engines, with the models behind a door of this machine."""

    make_factory = DoorFactory
    settings = ("engine.isolation=model",)
    loop_factory = uvloop.new_event_loop

    def count_loaded(self) -> int:
        return len(model_processes())


_OF_ANY_POOL = [
    "test_a_deleted_models_successor_of_the_same_number_is_another_version",
    "test_a_model_that_cannot_be_loaded_is_refused_in_the_runtimes_words",
    "test_a_model_that_wants_to_end_its_process_fails_its_request_alone",
    "test_a_model_that_wants_to_end_its_process_on_loading_is_refused",
    "test_a_prepared_upload_that_ran_is_discarded_as_any_other",
    "test_a_request_beyond_max_batch_rows_is_answered_whole",
    "test_a_run_of_a_prepared_upload_fails_in_the_models_words",
    "test_a_run_of_a_prepared_upload_has_the_deadline_of_any_request",
    "test_a_stateful_version_that_is_ready_is_not_to_be_warmed_up",
    "test_a_stored_version_is_loaded_by_its_first_requests",
    "test_a_version_that_cannot_be_loaded_does_not_get_ready",
    "test_a_whole_request_shares_no_run_and_is_not_cut",
    "test_an_adopted_upload_answers",
    "test_an_upload_runs_beside_the_version_that_it_will_replace",
    "test_answers_are_of_the_signatures_dtype_and_shape",
    "test_models_wanted_all_at_once_make_room_for_each_other",
    "test_more_models_than_may_be_loaded_take_turns_without_a_failure",
    "test_prepare_tells_signature_and_whether_rows_are_independent",
    "test_ready_tells_who_had_the_version_loaded",
    "test_requests_of_several_workers_get_their_own_answers",
    "test_rows_that_are_not_independent_never_share_a_run",
    "test_several_versions_of_a_name_are_served_at_once",
    "test_what_ran_before_it_was_stored_has_left_no_trace",
    "test_workers_come_and_go",
]
"""What the local engine's tests prove, of the same pool and processes, and no door changes."""

for _name in _OF_ANY_POOL:
    assert hasattr(EngineContract, _name)
    setattr(TestThroughADoor, _name, None)
