from __future__ import annotations

import pytest

from tests.plugins.codecs.image.images import (
    FORM,
    bind,
    form,
    images,
    make_codec,
    part,
    refusal,
)
from tests.plugins.codecs.image.labelled import COLOURS, LABELLED, PNG
from tfaas_core.errors import BadBody, DoesNotFit, TooLarge
from tfaas_core.route import Head


class TestForm:
    @pytest.mark.parametrize(
        ("texts", "model"),
        [
            ({}, None),
            ({"model": "vk"}, "vk"),
            ({"name": "vk"}, "vk"),
            ({"name": "other", "model": "vk"}, "vk"),
            ({"model": "", "name": "vk"}, "vk"),
            ({"model": ""}, None),
            ({"model": "größe"}, "größe"),
        ],
    )
    def test_the_model_is_read_from_model_or_else_name(
        self, texts: dict[str, str], model: str | None
    ) -> None:
        assert make_codec().parse(images(PNG, **texts), Head.of_type(FORM)).model == model

    @pytest.mark.parametrize(
        ("texts", "version", "label"),
        [
            ({}, None, None),
            ({"version": "3"}, 3, None),
            ({"version": " 3\n"}, 3, None),
            ({"label": "canary"}, None, "canary"),
            ({"version": "", "label": ""}, None, None),
            ({"version": "3", "label": "canary"}, 3, "canary"),
        ],
    )
    def test_the_version_is_read_as_a_number_or_a_label(
        self, texts: dict[str, str], version: int | None, label: str | None
    ) -> None:
        document = make_codec().parse(images(PNG, **texts), Head.of_type(FORM))
        assert (document.version, document.label) == (version, label)

    @pytest.mark.parametrize(
        "version", ["0", "-1", "1.0", "x", "03", "1e3", "\u0663", "1_0", "2147483648", "9" * 9999]
    )
    def test_a_version_is_a_number(self, version: str) -> None:
        error = refusal(DoesNotFit, images(PNG, version=version))
        assert error.details["field"] == "version"

    @pytest.mark.parametrize(
        "content_type",
        ["", "image/png", "image/jpeg", "application/octet-stream", "application/x-www-form"],
    )
    def test_any_other_body_is_one_picture_for_the_default_model(self, content_type: str) -> None:
        document = make_codec().parse(PNG, Head.of_type(content_type))
        assert document.model is None
        assert bind(PNG, LABELLED, content_type=content_type).arrays["x"].tolist() == [COLOURS]

    def test_a_picture_sent_as_text_is_a_picture(self) -> None:
        assert bind(form(part("image", PNG)), LABELLED).arrays["x"].tolist() == [COLOURS]

    def test_the_boundary_may_be_spelt_as_clients_do(self) -> None:
        for content_type in (FORM.replace("=", '="') + '"', FORM.replace("m", "M", 1)):
            assert bind(images(PNG), LABELLED, content_type=content_type).rows == 1

    def test_texts_that_nobody_asked_for_are_ignored(self) -> None:
        others = [part("op", "x"), part("op", b"\xff"), part("", "x" * 65_536)]
        document = make_codec().parse(
            form(*others, part("image", PNG, "a.png"), part("model", "vk")), Head.of_type(FORM)
        )
        assert (document.model, len(document.pictures)) == ("vk", 1)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (form(part("image", PNG, "a.png"), part("Model", "vk")), "Model"),
            (form(part("Image", PNG, "a.png")), "Image"),
            (form(part("image", PNG, "a.png"), part("x" * 99, "", "x.txt")), "x" * 80),
            (form(part("file", PNG, "a.png")), "file"),
            (form(*[part("op", "")] * 101, part("image", PNG, "a.png")), "op"),
            (form(part("op", "x" * 65_537), part("image", PNG, "a.png")), "op"),
            (form(part("model", "a"), part("image", PNG, "a.png"), part("model", "a")), "model"),
            (form(part("top", "1"), part("top", "2"), part("image", PNG, "a.png")), "top"),
            (form(*[part("label", "a")] * 2, part("image", PNG, "a.png")), "label"),
            (form(part("version", "1", "a.txt"), part("image", PNG, "a.png")), "version"),
            (form(part("model", "vk", "vk.txt"), part("image", PNG, "a.png")), "model"),
            (form(part("model", b"\xff"), part("image", PNG, "a.png")), "model"),
            (form(part("name", "x" * 65_537), part("image", PNG, "a.png")), "name"),
            (form(part("model", "vk")), "image"),
            (form(part("image", b"", "a.png")), "image"),
            (form(part("image", PNG, "a.png"), part("image", b"", "b.png")), "image"),
            (form(part("image", PNG, "a", "Content-Transfer-Encoding: base64\r\n")), "image"),
            (form(part("image", "file.png")), "image"),
        ],
    )
    def test_what_the_form_lacks_or_should_not_have_is_named(self, body: bytes, field: str) -> None:
        error = refusal(BadBody, body)
        assert error.details["field"] == field
        assert field in error.message

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"", FORM),
            (images(PNG)[:-30], FORM),
            (PNG, FORM),
            (images(PNG), "multipart/form-data"),
            (images(PNG), FORM + "X"),
            (b"", "image/png"),
            (b"", ""),
        ],
    )
    def test_a_broken_body_is_a_bad_body(self, body: bytes, content_type: str) -> None:
        refusal(BadBody, body, content_type=content_type)

    @pytest.mark.parametrize("top", ["0", "", "-1", "1.0", "x", "1e3", "\u0663", "1_0"])
    def test_top_is_a_count(self, top: str) -> None:
        error = refusal(DoesNotFit, images(PNG, top=top))
        assert error.details["field"] == "top"

    def test_more_images_than_may_wait_are_refused_before_one_is_looked_at(self) -> None:
        error = refusal(TooLarge, images(b"1", b"2", b"3"), codec=make_codec(max_images=2))
        assert "engine.max_queue_rows" in error.message
        assert error.details["expected"] == 2
        assert bind(images(PNG, PNG), LABELLED, make_codec(max_images=2)).rows == 2
