"""An OAP that lives in the process: real wire format, scenarios, faults. For tests, demos and template authors."""

from skywalking_provider.mock_oap.clock import ManualClock
from skywalking_provider.mock_oap.faults import Fault, FaultError, FaultKind
from skywalking_provider.mock_oap.scenario import Scenario, ScenarioError, load_scenario, shipped_scenarios
from skywalking_provider.mock_oap.server import MockOap
from skywalking_provider.mock_oap.wire import Request

__all__ = [
    "Fault",
    "FaultError",
    "FaultKind",
    "ManualClock",
    "MockOap",
    "Request",
    "Scenario",
    "ScenarioError",
    "load_scenario",
    "shipped_scenarios",
]
