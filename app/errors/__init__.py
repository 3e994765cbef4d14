"""The tree of errors, by subject (one file each).

Every class has a stable `code`, its name in snake case: `NoFace` is `no_face`. HTTP statuses are mapped in
`app/api/http/errors.py`.

ArcidError
  photos
    * PhotoRefused
      * NotAnImage
      * ImageDamaged
      * ImageUnsupported
      * ImageTooCostly
      * TooManyBytes
      * TooManyPixels
      * NoFace
      * SeveralFaces
      * LowQuality
      * FaceMismatch
      * PresentationAttack
      * UrlNotAllowed
      * UrlUnreachable
    * UrlsDisabled
  networks
    * NetworkError
      * NetworkMissing
      * NetworkCorrupt
      * NetworkInvalid
      * ProviderUnavailable
      * PackUnknown
      * ManifestInvalid
      * ArchiveUnavailable
      * LicenceNotAccepted
    * LivenessUnavailable
    * CalibrationTooSmall
    * CalibrationInvalid
    * CalibrationMissing
  requests
    * RequestInvalid
    * BodyEmpty
    * BodyMalformed
    * BodyTooLarge
    * BodyTooSlow
    * ContentTypeUnsupported
    * ContentEncodingUnsupported
    * AttributesUnsupported
    * AttributeDisabled
    * IdempotencyConflict
    * PreconditionFailed
    * Overloaded
    * DeadlineExceeded
    * ShuttingDown
  gallery
    * CollectionUnknown
    * CollectionExists
    * CollectionNotEmpty
    * CollectionSwitched
    * IdentityUnknown
    * IdentityExists
    * IdentityErased
    * FaceUnknown
    * FaceExists
    * FaceImageUnknown
    * ModelMismatch
    * TemplatesMissing
    * NoWayBack
    * ReviewUnknown
    * ReviewClosed
    * ReviewerRepeated
    * ConsentMissing
    * EncryptionRequired
    * UnknownFacesOff
    * GroupUnknown
    * NothingEnrolled
    * DuplicateIdentity
  access
    * KeyMissing
    * KeyInvalid
    * ScopeMissing
    * CollectionForbidden
    * HostForbidden
    * OriginForbidden
    * WhereForbidden
    * LivenessForbidden
    * KeyExists
    * KeyUnknown
    * GrantForbidden
    * FirstKeyForbidden
    * LastAdminKey
    * KeysRequired
    * RateExceeded
      * QuotaExceeded
    * RatesUnavailable
    * TrailBroken
    * SignInDisabled
    * SignInRefused
    * OpenIdUnavailable
    * SessionUnknown
  liveness
    * ChallengeUnknown
    * ChallengeExpired
    * ChallengeUsed
    * FramesInvalid
    * FramesReplayed
  rules
    * RuleUnknown
    * EventImageUnknown
  cameras
    * CameraUnknown
    * CameraExists
    * TooManyCameras
    * CameraTakesNoFrames
    * CameraUrlNotAllowed
    * CameraUnreachable
    * VideoUnavailable
  storage
    * DatabaseError
      * DatabaseUnavailable
      * DatabaseNotWritable
    * DatabaseInUse
    * SchemaOutdated
    * IndexUnusable
    * IndexUnavailable
    * StorageNotWritable
    * FileUnusable
    * EncryptionError
      * MasterKeyMissing
      * MasterKeyInvalid
      * MasterKeyWrong
      * SealBroken
        * DataKeyGone
      * PlainIndexRefused
  jobs
    * JobUnknown
    * JobUnderWay
    * JobFinished
    * JobUnfinished
    * JobCancelled
    * JobInterrupted
    * ArchiveUnknown
    * ExportGone
    * ImportInvalid
      * EncodingUnknown
    * ImportFolderForbidden
    * ItemInvalid
    * UploadUnknown
    * UploadConflict
    * UploadUnfinished
    * UploadTooLarge
    * TusVersionUnsupported
    * ArchiveRefused
      * ArchiveInvalid
      * ArchiveDamaged
      * ArchiveTooNew
    * BackupUnknown
    * BackupImpossible
  delivery
    * DestinationUnknown
    * DestinationDisabled
    * TooManyDestinations
  commands
    * SettingsInvalid
    * AddressUnusable
    * ServiceUnreachable
    * ServiceRefused
    * TracingUnavailable
    * DemoPhotoMissing
    * EvaluationInvalid
    * ReportUnavailable
    * SortingInvalid
    * TrainingError
      * TrainingUnavailable
      * TrainingInvalid
      * PhotosDamaged
      * CheckpointMismatch
      * TrainingDiverged
"""

from app.errors.access import *
from app.errors.base import *
from app.errors.cameras import *
from app.errors.commands import *
from app.errors.delivery import *
from app.errors.gallery import *
from app.errors.jobs import *
from app.errors.liveness import *
from app.errors.networks import *
from app.errors.photos import *
from app.errors.requests import *
from app.errors.rules import *
from app.errors.storage import *
