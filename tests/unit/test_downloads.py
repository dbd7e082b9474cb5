from hashlib import sha256
from pathlib import Path
import zipfile

from pydantic import ValidationError
import pytest

from neuro2cardio.config.wheels import Wheel
from neuro2cardio.core import downloads, provenance
from neuro2cardio.core.errors import InputError

CONTENT = b"made up\n"
METADATA = "Metadata-Version: 2.1\nName: blarf\nVersion: 1.0\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """A folder that pip takes for its index, with one wheel."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "blarf-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("blarf/data.txt", CONTENT)
        archive.writestr("blarf-1.0.dist-info/METADATA", METADATA)
        archive.writestr("blarf-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("blarf-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return Wheel(package="blarf", version="1.0", sha256=sha256(path.read_bytes()).hexdigest())


def test_a_file_comes_out_of_a_wheel(index, tmp_path):
    target = tmp_path / "deep" / "data.txt"
    downloads.fetch_wheel_file(index, "blarf/data.txt", target)
    assert target.read_bytes() == CONTENT
    assert [p.name for p in target.parent.iterdir()] == ["data.txt"]


def test_a_download_needs_no_folder_for_temporary_files(index, tmp_path, monkeypatch):
    """A job's TMPDIR can be one of another node, or full."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    downloads.fetch_wheel_file(index, "blarf/data.txt", tmp_path / "deep/data.txt")
    assert (tmp_path / "deep/data.txt").read_bytes() == CONTENT


def test_a_wheel_with_another_digest_is_refused_with_both_digests(index, tmp_path):
    pinned = index.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(InputError, match=f"expected sha256 {'0' * 64}, found {index.sha256}"):
        downloads.fetch_wheel_file(pinned, "blarf/data.txt", tmp_path / "data.txt")
    assert not (tmp_path / "data.txt").exists()


def test_a_missing_member_names_the_nearest(index, tmp_path):
    with pytest.raises(InputError, match=r"did you mean 'blarf/data.txt'"):
        downloads.fetch_wheel_file(index, "blarf/dat.txt", tmp_path / "data.txt")


def test_a_version_that_is_not_there_is_named(index, tmp_path):
    with pytest.raises(InputError, match=r"blarf==9.9: pip could not download it"):
        downloads.fetch_wheel_file(index.model_copy(update={"version": "9.9"}), "x", tmp_path / "x")


def test_a_package_that_is_source_code_alone_says_so(index, tmp_path):
    (tmp_path / "index/blarf-1.0-py3-none-any.whl").rename(tmp_path / "index/blarf-1.0.tar.gz")
    with pytest.raises(InputError, match=r"blarf==1.0: .* has no wheel .* \(\.tar\.gz\) are not read"):
        downloads.fetch_wheel_file(index, "blarf/data.txt", tmp_path / "data.txt")


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("--index-url=http://evil.example", "1.0"),
        ("-r", "1.0"),
        ("blarf @ https://evil.example/x.whl", "1.0"),
        ("./blarf", "1.0"),
        ("blarf\n--pre", "1.0"),
        ("blarf", "1.0 --pre"),
        ("blarf", "1.0,>0"),
    ],
)
def test_a_package_is_a_name_and_never_an_option_of_pip(package, version):
    with pytest.raises(ValidationError, match=r"package|version"):
        Wheel(package=package, version=version, sha256="0" * 64)


def test_an_index_out_of_reach_says_what_to_do(index, tmp_path, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    target = tmp_path / "x"
    with pytest.raises(InputError, match=rf"index can't be reached; .* put the file there yourself: {target}"):
        downloads.fetch_wheel_file(index, "x", target)


def test_a_url_is_held_to_its_blob_id(tmp_path):
    source, target = tmp_path / "source.json", tmp_path / "target.json"
    source.write_bytes(CONTENT)
    url = source.as_uri()
    downloads.fetch_url(url, target, provenance.git_blob_id(CONTENT), otherwise="")
    assert target.read_bytes() == CONTENT
    with pytest.raises(InputError, match="is not the pinned file: expected git blob id abc"):
        downloads.fetch_url(url, tmp_path / "other.json", "abc", otherwise="")
    assert not (tmp_path / "other.json").exists()


def test_a_url_out_of_reach_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"can't be reached .*; set dataset.origin.directory"):
        downloads.fetch_url("http://127.0.0.1:9/x", tmp_path / "x", "abc", otherwise="set dataset.origin.directory")
