"""Quality components: one property of a face each, from 0 to 100 (good), and how to fix a low one."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Component(StrEnum):
    """Component names of ISO/IEC 29794-5:2025. Motion blur and noise, which it has no component for, follow its style.

    The names are the standard's; the measures and their scales are ArcID's own.
    """

    ILLUMINATION_UNIFORMITY = "illumination_uniformity"
    LUMINANCE_MEAN = "luminance_mean"
    UNDER_EXPOSURE_PREVENTION = "under_exposure_prevention"
    OVER_EXPOSURE_PREVENTION = "over_exposure_prevention"
    DYNAMIC_RANGE = "dynamic_range"
    NATURAL_COLOUR = "natural_colour"
    SHARPNESS = "sharpness"
    MOTION_BLUR_PREVENTION = "motion_blur_prevention"
    NOISE_PREVENTION = "noise_prevention"
    COMPRESSION_ARTIFACTS = "compression_artifacts"
    EYES_VISIBLE = "eyes_visible"
    MOUTH_OCCLUSION_PREVENTION = "mouth_occlusion_prevention"
    FACE_OCCLUSION_PREVENTION = "face_occlusion_prevention"
    INTER_EYE_DISTANCE = "inter_eye_distance"
    HEAD_POSE_YAW = "head_pose_yaw"
    HEAD_POSE_PITCH = "head_pose_pitch"
    HEAD_POSE_ROLL = "head_pose_roll"
    LEFTWARD_CROP = "leftward_crop_of_the_face_image"
    RIGHTWARD_CROP = "rightward_crop_of_the_face_image"
    MARGIN_ABOVE = "margin_above_of_the_face_image"
    MARGIN_BELOW = "margin_below_of_the_face_image"


Components = Mapping[Component, float]
"""Values from 0 to 100 (good) of the components that could be measured."""

HINTS: Final[Mapping[Component, str]] = {
    Component.ILLUMINATION_UNIFORMITY: "light both sides of the face evenly",
    Component.LUMINANCE_MEAN: "set the exposure for the face",
    Component.UNDER_EXPOSURE_PREVENTION: "the face is too dark: add light",
    Component.OVER_EXPOSURE_PREVENTION: "the face is too bright: reduce the light",
    Component.DYNAMIC_RANGE: "the face has too few shades: avoid haze, filters and strong backlight",
    Component.NATURAL_COLOUR: "set the white balance and remove colour filters",
    Component.SHARPNESS: "the face is out of focus or noisy: focus on the face and add light",
    Component.MOTION_BLUR_PREVENTION: "the camera or the head moved: hold still and add light",
    Component.NOISE_PREVENTION: "the photo is noisy: add light",
    Component.COMPRESSION_ARTIFACTS: "the photo is compressed too strongly: send the original",
    Component.EYES_VISIBLE: "the eyes are covered: take off sunglasses and move hair aside",
    Component.MOUTH_OCCLUSION_PREVENTION: "the mouth is covered: take off the mask or scarf and lower the hand",
    Component.FACE_OCCLUSION_PREVENTION: "something covers part of the face: remove it",
    Component.INTER_EYE_DISTANCE: "the face is too small: come closer or send a larger photo",
    Component.HEAD_POSE_YAW: "turn the head to the camera",
    Component.HEAD_POSE_PITCH: "hold the camera at eye level and look straight into it",
    Component.HEAD_POSE_ROLL: "hold the head upright",
    Component.LEFTWARD_CROP: "the face is too near the left edge of the photo: move it to the middle",
    Component.RIGHTWARD_CROP: "the face is too near the right edge of the photo: move it to the middle",
    Component.MARGIN_ABOVE: "the face is too near the top of the photo: move it to the middle",
    Component.MARGIN_BELOW: "the face is too near the bottom of the photo: move it to the middle",
}


def worst_of(components: Components) -> Component | None:
    """Return the component with the lowest value; None if nothing was measured."""
    return min(components, key=lambda each: components[each], default=None)
