"""Photo in, faces out: MTCNN, the RetinaFace/SCRFD family and YuNet, with pure box decoding beside each."""
