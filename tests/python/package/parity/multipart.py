"""The twin of fapws.contrib.multipart."""

import io
import os

from observe import case, folder, report

from fapws.contrib import multipart
from fapws.contrib.multipart import DiskStorage, DiskVersioning, MultipartFormData, Storage

# Relative: the original took a "_" in any part of a path for the mark of a version.
os.chdir(folder())
HERE = "./"


def form(*parts):
    return b"--AaB03x\r\n" + b"\r\n--AaB03x\r\n".join(parts) + b"\r\n--AaB03x--\r\n"


def part(disposition, content, headers=b""):
    return b"Content-Disposition: form-data; " + disposition + b"\r\n" + headers + b"\r\n" + content


def parsed(*pieces):
    """The results of a new parser in a new folder, and the folder's files with their content."""
    basepath = HERE + "up%d/" % len(os.listdir(HERE))
    os.mkdir(basepath)
    parser = MultipartFormData(basepath)
    for piece in pieces:
        parser.write(piece)
    parser.seek(0)
    return observed(parser, basepath)


def observed(parser, basepath):
    files = {}
    for name in os.listdir(basepath):
        with io.open(basepath + name, "rb") as source:
            files[name] = source.read()
    results = {
        name: [
            value.replace(basepath, "BASE/") if hasattr(value, "replace") else value
            for value in parser.results[name]
        ]
        for name in parser.results
    }
    return results, files


@case
def fields():
    return parsed(form(part(b'name="a"', b"1"), part(b'name="b"', b"2"), part(b'name="a"', b"3")))


@case
def a_field_of_several_lines():
    return parsed(form(part(b'name="a"', b"one\r\ntwo\r\n\r\nthree")))


@case
def an_empty_field():
    return parsed(form(part(b'name="a"', b"")))


@case
def a_field_with_a_type():
    return parsed(form(part(b'name="a"', b"{}", b"Content-Type: application/json\r\n")))


@case
def a_field_with_a_parameter():
    return parsed(form(part(b'name="a"; other=x; more="y"', b"1")))


@case
def no_file_chosen():
    return parsed(form(part(b'name="f"; filename=""', b"", b"Content-Type: a/b\r\n")))


@case
def the_interface():
    parser = MultipartFormData()
    before = parser.basepath, parser.results, parser.boundary
    parser.write(form(part(b'name="a"', b"1")))
    after = parser.getvalue(), parser.get("a"), parser.get("b"), list(parser.keys())
    return before, after, parser.boundary, parser.seek(0), parser.filerepository.fpath


@case
def a_file():
    return parsed(form(part(b'name="f"; filename="a.txt"', b"content", b"Content-Type: a/b\r\n")))


@case
def where_files_go():
    """The paths; what they hold and its size are the case above."""
    names = (b"a.txt", b"a.txt", b"a.txt", b"b_7.x", b"b_7.x", b".hidden", b".hidden")
    body = form(*[part(b'name="f"; filename="' + name + b'"', b"1") for name in names])
    results, files = parsed(body)
    return [value for value in results["f"] if not isinstance(value, dict)], sorted(files)


@case
def a_field_in_two_pieces():
    body = form(part(b'name="a"', b"1234"))
    return parsed(body[:55], body[55:])


@case
def spaces_around_a_value():
    return parsed(form(part(b'name="a"', b" 1 ")))


@case
def a_value_like_a_delimiter():
    return parsed(form(part(b'name="a"', b"1\r\nx--AaB03x\r\n2")))


@case
def a_part_without_a_name():
    return parsed(form(part(b'name="a"', b"1"), b"Content-Type: a/b\r\n\r\n2"))[0]


@case
def a_semicolon_in_a_name():
    return parsed(form(part(b'name="a;b"', b"1")))


@case
def a_colon_in_a_header():
    return parsed(form(part(b'name="a"', b"1", b"X-Time: 10:30\r\n")))


@case
def no_line_end_after_the_last_delimiter():
    return parsed(form(part(b'name="a"', b"1"))[:-2])


@case
def another_content_type():
    return parsed(b"a=1&b=2\r\n")


@case
def a_path_for_a_name():
    os.mkdir(HERE + "outer")
    os.mkdir(HERE + "outer/up")
    parser = MultipartFormData(HERE + "outer/up/")
    parser.write(form(part(b'name="f"; filename="../escaped"', b"1")))
    return sorted(os.listdir(HERE + "outer"))


@case
def an_underscore_in_a_name():
    body = form(*[part(b'name="f"; filename="my_file.txt"', b"1")] * 2)
    return sorted(parsed(body)[1])


@case
def a_folder_without_a_slash():
    os.mkdir(HERE + "bare")
    parser = MultipartFormData(HERE + "bare")
    parser.write(form(part(b'name="f"; filename="a"', b"1")))
    return os.listdir(HERE + "bare")


@case
def storages():
    storage = Storage()
    answers = [storage.fpath, storage.open("x"), storage.write(b"x"), storage.close()]
    disk = DiskStorage()
    for content in (b"longer", b"new"):
        disk.open(HERE + "stored")
        answers.append(disk.fpath == HERE + "stored")
        disk.write(content)
        disk.close()
        answers.append(disk.fpath)
    versions = DiskVersioning()
    versions.open(HERE + "stored")
    answers.append(versions.fpath == HERE + "stored_1")
    versions.close()
    with io.open(HERE + "stored", "rb") as source:
        return answers, source.read()


@case
def storages_still_to_be_written():
    kinds = multipart.GitStorage, multipart.DBstorage
    return [(isinstance(kind(), Storage), kind().fpath, kind().open("x")) for kind in kinds]


@case
def storage_without_a_path():
    return DiskStorage().open("")


@case
def storage_written_before_it_is_open():
    return DiskStorage().write(b"x")


@case
def storage_closed_before_it_is_open():
    return DiskStorage().close()


report()
