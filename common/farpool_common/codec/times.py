"""Dates, times and time zones on the wire.

Zones of the standard library travel by their key or offset.  Others do not: what they mean is in
their code.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from farpool_common.codec.kinds import Code, Kind, Reading, Writing, malformed
from farpool_common.errors import EncodeError

_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")
"""A key becomes a file name and the name of a package below `tzdata`, so it is held to what the time
zone database uses."""


def _write_datetime(value: datetime, _: Writing) -> list[Any]:
    return [value.replace(tzinfo=None).isoformat(), value.fold, value.tzinfo]


def _read_datetime(parts: list[Any], _: Reading) -> datetime:
    match parts:
        case [str(text), (0 | 1) as fold, (None | tzinfo()) as zone]:
            return datetime.fromisoformat(text).replace(fold=fold, tzinfo=zone)
    raise malformed("datetime")


def _write_date(value: date, _: Writing) -> list[Any]:
    return [value.toordinal()]


def _read_date(parts: list[Any], _: Reading) -> date:
    match parts:
        case [int(ordinal)]:
            return date.fromordinal(ordinal)
    raise malformed("date")


def _write_time(value: time, _: Writing) -> list[Any]:
    return [value.replace(tzinfo=None).isoformat(), value.fold, value.tzinfo]


def _read_time(parts: list[Any], _: Reading) -> time:
    match parts:
        case [str(text), (0 | 1) as fold, (None | tzinfo()) as zone]:
            return time.fromisoformat(text).replace(fold=fold, tzinfo=zone)
    raise malformed("time")


def _write_timedelta(value: timedelta, _: Writing) -> list[Any]:
    return [value.days, value.seconds, value.microseconds]


def _read_timedelta(parts: list[Any], _: Reading) -> timedelta:
    match parts:
        case [int(days), int(seconds), int(microseconds)]:
            return timedelta(days, seconds, microseconds)
    raise malformed("timedelta")


def _write_timezone(value: timezone, _: Writing) -> list[Any]:
    offset, name = value.utcoffset(None), value.tzname(None)
    return [offset] if name == timezone(offset).tzname(None) else [offset, name]


def _read_timezone(parts: list[Any], _: Reading) -> timezone:
    match parts:
        case [timedelta() as offset]:
            return timezone(offset)
        case [timedelta() as offset, str(name)]:
            return timezone(offset, name)
    raise malformed("timezone")


def _write_zoneinfo(value: ZoneInfo, _: Writing) -> list[Any]:
    if value.key is None:
        raise EncodeError("a ZoneInfo without a key (read from a file); use ZoneInfo('Area/City')")
    return [value.key]


def _read_zoneinfo(parts: list[Any], _: Reading) -> ZoneInfo:
    match parts:
        case [str(key)] if _ZONE_KEY.fullmatch(key):
            return ZoneInfo(key)
    raise malformed("time zone")


KINDS: Mapping[type, Kind] = {
    datetime: Kind(Code.DATETIME, _write_datetime, _read_datetime),
    date: Kind(Code.DATE, _write_date, _read_date),
    time: Kind(Code.TIME, _write_time, _read_time),
    timedelta: Kind(Code.TIMEDELTA, _write_timedelta, _read_timedelta),
    timezone: Kind(Code.TIMEZONE, _write_timezone, _read_timezone),
    ZoneInfo: Kind(Code.ZONEINFO, _write_zoneinfo, _read_zoneinfo),
}
