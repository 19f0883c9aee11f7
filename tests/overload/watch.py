"""Watches the daemons of a server: memory, descriptors, processor time, and the sizes of databases."""
import os
import pathlib
import time

DAEMONS = ("smtpd", "imapd", "pop3d")


def memory_kib(pid):
    """(RSS, PSS, anonymous): smaps_rollup walks all pages, which takes some milliseconds."""
    fields = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split()[:2]
        fields[name] = int(value)
    return fields["Rss:"], fields["Pss:"], fields["Anonymous:"]


def status_kib(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def clear_peak(pid):
    """VmHWM counts from here on."""
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stored_bytes(data):
    """{file name: bytes} of all databases and their logs, the same names summed up."""
    sizes = {}
    for folder, _, names in os.walk(data):
        for name in names:
            if ".db" in name:
                try:
                    size = os.stat(os.path.join(folder, name)).st_size
                except FileNotFoundError:
                    continue
                sizes[name] = sizes.get(name, 0) + size
    return sizes


def sample(pids, data, start):
    """One row: {"s": seconds since start, "imapd.pss": ..., "mail.db": ...}."""
    row = {"s": round(time.monotonic() - start, 1)}
    for name, pid in pids.items():
        row[f"{name}.rss"], row[f"{name}.pss"], row[f"{name}.anonymous"] = memory_kib(pid)
        row[f"{name}.fds"] = descriptors(pid)
    row.update(stored_bytes(data))
    return row


def slope(rows, column):
    """Of the line through the second half: change an hour, by least squares."""
    points = [(row["s"] / 3600, row[column]) for row in rows[len(rows) // 2:] if column in row]
    if len(points) < 3:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("nan")
