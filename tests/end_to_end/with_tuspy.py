"""Upload a file with tuspy: python with_tuspy.py FILE ENDPOINT KEY CHUNK; prints the address of the upload."""

import json
import sys

from tusclient.client import TusClient  # type: ignore[import-not-found]

path, endpoint, key, chunk = sys.argv[1:]
client = TusClient(endpoint, headers={"Authorization": f"Bearer {key}"})
options = {"chunk_size": int(chunk)} if int(chunk) else {}
uploader = client.uploader(path, metadata={"filename": "staff.zip"}, retries=9, retry_delay=0.2, **options)
uploader.upload()
sys.stdout.write(json.dumps({"url": uploader.url}))
