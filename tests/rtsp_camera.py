"""A camera for tests: an RTSP server that plays a video file; runs with the Python of Debian's GStreamer.

Usage: rtsp_camera.py FILE PORT USER PASSWORD. Port 0: any. Prints the port when it can be connected to.
"""

import sys

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402 - as the library wants

_ROLE = "viewer"


def serve(path: str, port: str, user: str, password: str) -> None:
    """Serve a file with H.264 video at `/door`, to one user, until the process ends."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    camera = GstRtspServer.RTSPMediaFactory()
    camera.set_launch(f'( filesrc location="{path}" ! qtdemux ! rtph264pay name=pay0 pt=96 config-interval=-1 )')
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role(_ROLE, "media.factory.access", True)  # noqa: FBT003 - GStreamer's call
    permissions.add_permission_for_role(_ROLE, "media.factory.construct", True)  # noqa: FBT003
    camera.set_permissions(permissions)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", _ROLE)
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    server.get_mount_points().add_factory("/door", camera)
    server.attach(None)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    serve(*sys.argv[1:])
