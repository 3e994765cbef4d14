// Every method of CompreFace's published JavaScript client; the same in Node, with paths, and in a browser, with blobs.

const outcome = (promise) => promise.catch((error) => ({ status: error.response?.status, ...error.response?.data }));

export async function tour(CompreFace, { server, port, key, ada, adaToo, bob, faceless, base64 }) {
  const compreFace = new CompreFace(server, port, { limit: 0, status: "true", face_plugins: "landmarks,age,pose,mask" });
  const recognition = compreFace.initFaceRecognitionService(key);
  const detection = compreFace.initFaceDetectionService(key);
  const verification = compreFace.initFaceVerificationService(key);
  // A collection changes its own address with each call, so each call takes a new one.
  const faces = () => recognition.getFaceCollection();
  const subjects = () => recognition.getSubjects();
  const answers = {};
  answers.addSubject = await outcome(subjects().add("Ada Lovelace"));
  answers.addSubjectAgain = await outcome(subjects().add("Ada Lovelace"));
  answers.addFace = await outcome(faces().add(ada, "Ada Lovelace"));
  answers.addBase64 = await outcome(faces().add(base64, "Ada Lovelace"));
  answers.addOther = await outcome(faces().add(bob, "Bob"));
  answers.addNoFace = await outcome(faces().add(faceless, "Nobody"));
  answers.faces = await outcome(faces().list());
  answers.recognise = await outcome(recognition.recognize(adaToo, { prediction_count: 1, det_prob_threshold: 0.8 }));
  answers.recogniseBase64 = await outcome(recognition.recognize(base64, { limit: 1 }));
  answers.recogniseNobody = await outcome(recognition.recognize(faceless, {}));
  answers.detect = await outcome(detection.detect(adaToo, { limit: 1 }));
  answers.verify = await outcome(verification.verify(ada, adaToo, { limit: 0 }));
  answers.verifyOther = await outcome(verification.verify(ada, bob, {}));
  answers.verifyFace = await outcome(faces().verify(adaToo, answers.addFace.image_id, { limit: 1 }));
  answers.rename = await outcome(subjects().rename("Ada Lovelace", "Ada"));
  answers.subjects = await outcome(subjects().list());
  answers.deleteFace = await outcome(faces().delete(answers.addFace.image_id));
  answers.deleteSeveral = await outcome(faces().delete_multiple_images([answers.addBase64.image_id]));
  answers.deleteOfSubject = await outcome(faces().delete_all_subject("Bob"));
  answers.deleteSubject = await outcome(subjects().delete("Ada"));
  answers.deleteUnknown = await outcome(subjects().delete("Ada"));
  answers.deleteAll = await outcome(subjects().deleteAll());
  answers.deleteAllFaces = await outcome(faces().delete_all());
  const wrong = new CompreFace(server, port, {}).initFaceRecognitionService("00000000-0000-0000-0000-000000000002");
  answers.wrongKey = await outcome(wrong.getSubjects().list());
  return answers;
}
