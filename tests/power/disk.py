"""Makes the disk that a power cut leaves, from the record of record.c.

    disk = Disk(base, numbers, record)    # the folder as it was at the begin, {path: inode} of its files
    disk.cut(position, chance, folder)    # one of the disks that there may be when it went dark there

What was synced is there. Of the rest, each file and each name keeps a random part: nothing, all,
what came first, or any sectors and names in any order. Weaker disks show that the checks bite:

    strict      what POSIX and SQLite promise
    normal      syncs of a WAL count only before a checkpoint, as with synchronous = NORMAL
    names       syncs of folders do nothing
    bodies      syncs of files that are no database do nothing
"""
import bisect
import mmap
import pathlib
import struct

CREATE, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, LINK, UNLINK, RENAME, MKDIR, RMDIR = range(1, 11)
ENTRY = struct.Struct("=IIQQQ")
SECTOR = 512
FOLDER = "folder"
WEAKNESSES = ("strict", "normal", "names", "bodies")


class File:
    """One inode: what it was at the begin, and what was done to it."""

    def __init__(self, path, base=None):
        self.path, self.base = path, base  # the first of its names; where its bytes are
        self.changes = []  # (number, kind, offset or length, at, len)
        self.syncs = []  # (number of the end, number of the begin)

    @property
    def is_database(self):
        return self.path.removesuffix("-wal").endswith(".db")


class Folder:
    def __init__(self, names=None):
        self.base = names or {}  # name: File or FOLDER
        self.changes = {}  # name: [(number, File or FOLDER or None)]
        self.syncs = []


class Disk:
    def __init__(self, base, numbers, record):
        self.ends = []  # of each entry, by its number
        self.files = {}  # by inode, the one that has it now
        self.all_files, self.folders, self.begun = [], {"": Folder()}, {}
        self.load_base(pathlib.Path(base), numbers)
        with open(record, "rb") as file:
            self.record = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.load_record()
        self.checkpoints = self.find_checkpoints()

    def load_base(self, base, numbers):
        for path in sorted(base.rglob("*")):
            name = str(path.relative_to(base))
            folder = self.folders["" if path.parent == base else str(path.parent.relative_to(base))]
            if path.is_dir():
                self.folders[name] = Folder()
                folder.base[path.name] = FOLDER
            elif path.is_file() and not name.endswith("-shm"):
                inode = numbers[name]
                if inode not in self.files:
                    self.files[inode] = File(name, path)
                    self.all_files.append(self.files[inode])
                folder.base[path.name] = self.files[inode]

    def load_record(self):
        at, number = 0, 0
        while at + ENTRY.size <= len(self.record):
            kind, path_len, inode, offset, length = ENTRY.unpack_from(self.record, at)
            at += ENTRY.size
            path = self.record[at:at + path_len].decode()
            at += path_len
            self.load(number, kind, path, inode, offset, at, length)
            at += length
            self.ends.append(at)
            number += 1

    def load(self, number, kind, path, inode, offset, at, length):
        if kind == CREATE:
            self.files[inode] = File(path)
            self.all_files.append(self.files[inode])
            self.name(number, path, self.files[inode])
        elif kind in (WRITE, TRUNCATE):
            self.files[inode].changes.append((number, kind, offset, at, length))
        elif kind == SYNC_BEGIN:
            self.begun[offset] = number
        elif kind == SYNC_END:
            begin = self.begun.pop(offset)
            if inode in self.files:
                self.files[inode].syncs.append((number, begin))
            else:
                self.folders[path].syncs.append((number, begin))
        elif kind == LINK:
            self.name(number, path, self.files[inode])
        elif kind in (UNLINK, RMDIR):
            self.name(number, path, None)
        elif kind == MKDIR:
            self.folders[path] = Folder()
            self.name(number, path, FOLDER)
        else:
            raise ValueError(f"entry {number} is of kind {kind}: nothing here renames")

    def name(self, number, path, what):
        folder, _, name = path.rpartition("/")
        self.folders[folder].changes.setdefault(name, []).append((number, what))

    def find_checkpoints(self):
        """The numbers of all syncs of a WAL that SQLite would make with synchronous = NORMAL: those
        after which the database is written."""
        found, writes = set(), {file.path: [c[0] for c in file.changes] for file in self.all_files}
        for wal in self.all_files:
            if not wal.path.endswith("-wal"):
                continue
            own, of_main = writes[wal.path], writes.get(wal.path.removesuffix("-wal"), [])
            for end, _ in wal.syncs:
                if after(of_main, end) < after(own, end):
                    found.add(end)
        return found

    @property
    def end(self):
        return self.ends[-1] if self.ends else 0

    def cut(self, position, chance, target, weakness="strict"):
        """Writes the disk into the new folder `target`."""
        cut = Cut(self, bisect.bisect_right(self.ends, position), chance, weakness)
        cut.write_folder("", pathlib.Path(target))


def after(numbers, number):
    at = bisect.bisect_right(numbers, number)
    return numbers[at] if at < len(numbers) else float("inf")


class Cut:
    """`number`: of the first entry that has not happened."""

    def __init__(self, disk, number, chance, weakness):
        self.disk, self.number, self.chance, self.weakness = disk, number, chance, weakness
        self.written = {}  # id of a File: where it is already
        self.style = chance.choice(["nothing", "all", "first", "any", "mixed", "mixed"])

    def own_style(self):
        return self.chance.choice(["nothing", "all", "first", "any"]) if self.style == "mixed" else self.style

    def synced(self, syncs):
        """All entries below this number are on the disk."""
        return max((begin for end, begin in syncs if end < self.number), default=0)

    def synced_file(self, file):
        syncs = file.syncs
        if self.weakness == "normal" and file.path.endswith("-wal"):
            syncs = [sync for sync in syncs if sync[0] in self.disk.checkpoints]
        if self.weakness == "bodies" and not file.is_database:
            return 0
        return self.synced(syncs)

    def names_in(self, folder):
        """{name: File or FOLDER}"""
        safe = 0 if self.weakness == "names" else self.synced(folder.syncs)
        style, names = self.own_style(), dict(folder.base)
        limit = self.chance.randint(safe, max(self.number, safe))
        for name, changes in folder.changes.items():
            changes = [change for change in changes if change[0] < self.number]
            n_safe = sum(number < safe for number, _ in changes)
            kept = {"nothing": n_safe, "all": len(changes),
                    "first": sum(number < limit or number < safe for number, _ in changes),
                    "any": self.chance.randint(n_safe, len(changes))}[style]
            if kept > 0:
                names[name] = changes[kept - 1][1]
        return {name: what for name, what in names.items() if what is not None}

    def write_folder(self, path, target):
        target.mkdir(mode=0o700)
        for name, what in self.names_in(self.disk.folders[path]).items():
            if what is FOLDER:
                self.write_folder(f"{path}/{name}".lstrip("/"), target / name)
            elif id(what) in self.written:
                (target / name).hardlink_to(self.written[id(what)])
            else:
                self.written[id(what)] = target / name
                (target / name).write_bytes(self.bytes_of(what))
                (target / name).chmod(0o600)

    def bytes_of(self, file):
        safe = self.synced_file(file)
        changes = [change for change in file.changes if change[0] < self.number]
        n_safe = sum(change[0] < safe for change in changes)
        content = bytearray(file.base.read_bytes() if file.base else b"")
        for _, kind, offset, at, length in changes[:n_safe]:
            change_all(content, kind, offset, self.disk.record[at:at + length])
        rest, style = changes[n_safe:], self.own_style()
        if style == "any":
            return self.keep_any(content, rest)
        kept = {"nothing": 0, "all": len(rest), "first": self.chance.randint(0, len(rest))}[style]
        for _, kind, offset, at, length in rest[:kept]:
            change_all(content, kind, offset, self.disk.record[at:at + length])
        return bytes(content)

    def keep_any(self, content, changes):
        """Each sector is as it was after some of the changes, and so is the length."""
        limits, share = {}, self.chance.choice([0.1, 0.5, 0.9, 0.99])

        def limit(sector):
            if sector not in limits:
                limits[sector] = len(changes) if self.chance.random() < share else self.chance.randint(0, len(changes))
            return limits[sector]

        lengths = [len(content)]
        for number, (_, kind, offset, at, length) in enumerate(changes):
            if kind == TRUNCATE:
                lengths.append(offset)
                for sector in range(offset // SECTOR, -(-len(content) // SECTOR)):
                    if number < limit(sector):
                        start, end = max(sector * SECTOR, offset), min((sector + 1) * SECTOR, len(content))
                        content[start:end] = bytes(max(end - start, 0))
                continue
            lengths.append(max(lengths[-1], offset + length))
            if len(content) < offset + length:
                content.extend(bytes(offset + length - len(content)))
            for sector in range(offset // SECTOR, -(-(offset + length) // SECTOR)):
                start, end = max(sector * SECTOR, offset), min((sector + 1) * SECTOR, offset + length)
                if number < limit(sector):
                    content[start:end] = self.disk.record[at + start - offset:at + end - offset]
        length = lengths[limit(-1)]
        return bytes(content[:length].ljust(length, b"\0"))


def change_all(content, kind, offset, data):
    if kind == TRUNCATE:
        del content[offset:]
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if kind == WRITE:
        content[offset:offset + len(data)] = data
