"""Mock OAP server with scripted data: real HTTP and GraphQL, scenarios, faults. For tests, demos and authors."""

from skywalking_provider.mock_oap.clock import ManualClock
from skywalking_provider.mock_oap.faults import Fault, FaultError, FaultKind
from skywalking_provider.mock_oap.http_handler import RecordedRequest
from skywalking_provider.mock_oap.scenario import Scenario, ScenarioError, load_scenario, shipped_scenarios
from skywalking_provider.mock_oap.server import MockOap

__all__ = [
    "Fault",
    "FaultError",
    "FaultKind",
    "ManualClock",
    "MockOap",
    "RecordedRequest",
    "Scenario",
    "ScenarioError",
    "load_scenario",
    "shipped_scenarios",
]
