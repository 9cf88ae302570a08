"""The decisions: plain values in, plain values out; no IO, no clock."""

from bot.rules import availability as availability
from bot.rules import break_glass as break_glass
from bot.rules import changes as changes
from bot.rules import customers as customers
from bot.rules import deadlines as deadlines
from bot.rules import declarations as declarations
from bot.rules import facts as facts
from bot.rules import fitting as fitting
from bot.rules import incidents as incidents
from bot.rules import next_status as next_status
from bot.rules import permissions as permissions
from bot.rules import places as places
from bot.rules import policy as policy
from bot.rules import second_step as second_step
from bot.rules import service_names as service_names
