"""The scanners of the stage scan, one file per tool or kind of tool; each answers with a `Scanned`."""
