"""The words of the lab as types: apps, scenarios, benches, matrices, trials, and all of them together as a `Lab`."""

from lab.definitions.app import App as App
from lab.definitions.app import Intent as Intent
from lab.definitions.app import Selector as Selector
from lab.definitions.app import Way as Way
from lab.definitions.base import Role as Role
from lab.definitions.base import Service as Service
from lab.definitions.bench import BenchSpec as BenchSpec
from lab.definitions.bench import StunServer as StunServer
from lab.definitions.caps import Caps as Caps
from lab.definitions.lab import Lab as Lab
from lab.definitions.machines import LaptopSpec as LaptopSpec
from lab.definitions.machines import PhoneSpec as PhoneSpec
from lab.definitions.matrix import Matrix as Matrix
from lab.definitions.matrix import Trial as Trial
from lab.definitions.matrix import plan as plan
from lab.definitions.planned import PlannedTrial as PlannedTrial
from lab.definitions.planned import plan_routes as plan_routes
from lab.definitions.scenario import Drawn as Drawn
from lab.definitions.scenario import Scenario as Scenario
from lab.definitions.scenario import Shape as Shape
from lab.definitions.scenario import Step as Step
from lab.definitions.scenario import Verb as Verb
from lab.definitions.virtual_app import VirtualApp as VirtualApp
from lab.definitions.virtual_network import LaptopEmulation as LaptopEmulation
from lab.definitions.virtual_network import PhoneEmulation as PhoneEmulation
