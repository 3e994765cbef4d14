"""The methods of both clients, by resource."""

from arcid.binding import Events, Group, Operation, Pages, Transport
from arcid.operations import (
    audit,
    backups,
    collections,
    events,
    faces,
    identities,
    jobs,
    keys,
    liveness,
    recognition,
    rules,
    service,
    statistics,
    uploads,
)


class Collections(Group[Transport]):
    """Isolated galleries."""

    list = Operation(collections.page)
    iterate = Pages(collections.page, lambda page: page.items)
    create = Operation(collections.create)
    get = Operation(collections.get)
    patch = Operation(collections.patch)
    delete = Operation(collections.delete)
    health = Operation(collections.health)
    iterate_health = Pages(collections.health, lambda page: (page,))


class Identities(Group[Transport]):
    """Enrolled people."""

    list = Operation(identities.page)
    iterate = Pages(identities.page, lambda page: page.items)
    get = Operation(identities.get)
    patch = Operation(identities.patch)
    delete = Operation(identities.delete)
    merge = Operation(identities.merge)
    export = Operation(identities.export)


class Faces(Group[Transport]):
    """Enrolled faces."""

    list = Operation(faces.page)
    iterate = Pages(faces.page, lambda page: page.items)
    get = Operation(faces.get)
    image = Operation(faces.image)
    delete = Operation(faces.delete)
    move = Operation(faces.move)
    move_several = Operation(faces.move_several)


class Jobs(Group[Transport]):
    """Long-running work with progress reports."""

    import_photos = Operation(jobs.import_photos)
    import_archive = Operation(jobs.import_archive)
    import_embeddings = Operation(jobs.import_embeddings)
    export = Operation(jobs.export)
    calibrate = Operation(jobs.calibrate)
    back_up = Operation(jobs.back_up)
    reembed = Operation(jobs.reembed)
    list = Operation(jobs.page)
    iterate = Pages(jobs.page, lambda page: page.items)
    get = Operation(jobs.get)
    cancel = Operation(jobs.cancel)
    errors = Operation(jobs.errors)
    iterate_errors = Pages(jobs.errors, lambda page: page.items)
    events = Events(jobs.events)
    wait = Operation(jobs.wait)
    download = Operation(jobs.download)


class Uploads(Group[Transport]):
    """Large files, sent in parts."""

    send = Operation(uploads.send)
    create = Operation(uploads.create)
    get = Operation(uploads.get)
    append = Operation(uploads.append)
    delete = Operation(uploads.delete)


class Reembedding(Group[Transport]):
    """Model migration of a collection; start it with `jobs.reembed`."""

    show = Operation(collections.reembedding)
    iterate_without_crop = Pages(collections.reembedding, lambda page: page.without_crop)
    switch = Operation(collections.switch)
    roll_back = Operation(collections.roll_back)
    discard = Operation(collections.discard)


class Keys(Group[Transport]):
    """API keys."""

    list = Operation(keys.page)
    iterate = Pages(keys.page, lambda page: page.items)
    create = Operation(keys.create)
    get = Operation(keys.get)
    revoke = Operation(keys.revoke)


class Liveness(Group[Transport]):
    """Liveness challenges."""

    create = Operation(liveness.create)
    answer = Operation(liveness.answer)


class Audit(Group[Transport]):
    """The audit trail."""

    list = Operation(audit.page)
    iterate = Pages(audit.page, lambda page: page.lines)
    export = Operation(audit.export)
    verify = Operation(audit.verify)


class Backups(Group[Transport]):
    """Backups of the database; `jobs.back_up` writes one."""

    list = Operation(backups.get_all)
    download = Operation(backups.download)
    delete = Operation(backups.delete)


class EventLog(Group[Transport]):
    """Sightings and other events."""

    list = Operation(events.page)
    iterate = Pages(events.page, lambda page: page.items)
    stream = Events(events.stream)
    image = Operation(events.image)


class Rules(Group[Transport]):
    """Rules for sightings."""

    list = Operation(rules.page)
    iterate = Pages(rules.page, lambda page: page.items)
    create = Operation(rules.create)
    get = Operation(rules.get)
    patch = Operation(rules.patch)
    delete = Operation(rules.delete)


class Service(Group[Transport]):
    """All methods of both clients."""

    enroll = Operation(recognition.enroll)
    verify = Operation(recognition.verify)
    identify = Operation(recognition.identify)
    detect = Operation(recognition.detect)
    embed = Operation(recognition.embed)
    search = Operation(recognition.search)
    calibration = Operation(recognition.calibration)
    me = Operation(keys.me)
    statistics = Operation(statistics.get)
    models = Operation(service.models)
    healthz = Operation(service.healthz)
    readyz = Operation(service.readyz)

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.collections = Collections(transport)
        self.identities = Identities(transport)
        self.faces = Faces(transport)
        self.jobs = Jobs(transport)
        self.uploads = Uploads(transport)
        self.reembedding = Reembedding(transport)
        self.keys = Keys(transport)
        self.liveness = Liveness(transport)
        self.audit = Audit(transport)
        self.backups = Backups(transport)
        self.events = EventLog(transport)
        self.rules = Rules(transport)
