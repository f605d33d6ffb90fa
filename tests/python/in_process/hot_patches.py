"""Classes of the base module that a program changes without putting anything into them: their
methods' code, their bases. And others that it puts in their place. They are called as they are from
then on."""

from case import Case, ask, base, evwsgi, main


class Patched(Case):
    def seen_after(self, dialect, patch, module=base):
        """What /seen finds in its environ, and all heads; `patch` is called between the two."""
        address = self.serve(dialect)
        evwsgi.set_base_module(module)
        seen = []

        def application(environ, start_response):
            if environ["PATH_INFO"].endswith("patch"):
                patch()
            else:
                seen.append(environ)
            start_response("200 OK", [("X-Own", "a")])
            return [b"x"]

        evwsgi.wsgi_cb(("/", application))

        def client():
            heads = []
            for target in (b"/seen", b"/patch", b"/seen"):
                request = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                heads.append(ask(address, request))
            return heads

        heads, _ = self.run_with(client)
        return seen, heads

    def code_of_environ(self, dialect):
        def update_uri(self, data):
            dict.update(self, data)
            self["patched"] = True

        def patch():
            function = vars(base.Environ)["update_uri"]
            function.__code__ = update_uri.__code__

        (before, after), _ = self.seen_after(dialect, patch)
        self.assertEqual((False, True), ("patched" in before, "patched" in after))

    def code_of_start_response(self, dialect):
        def add_header(self, key, val):
            self.response_headers[key] = "patched"

        def patch():
            function = vars(base.Start_response)["add_header"]
            function.__code__ = add_header.__code__

        _, heads = self.seen_after(dialect, patch)
        found = [b"X-Own: patched" in head for head in (heads[0], heads[2])]
        self.assertEqual([False, True], found)

    def bases_of_environ(self, dialect):
        class Own(dict):
            def __setitem__(self, key, value):
                dict.__setitem__(self, key, value)
                dict.__setitem__(self, "patched", True)

        def patch():
            base.Environ.__bases__ = (Own,)

        try:
            type("Tried", (dict,), {}).__bases__ = (Own,)
        except TypeError as error:
            self.skipTest(str(error))
        (before, after), _ = self.seen_after(dialect, patch)
        self.assertEqual((False, True), ("patched" in before, "patched" in after))

    def another_environ(self, dialect, module, place):
        """Another class in the place of `Environ`, put there in several ways, one after another."""

        stock = base.Environ

        class Own(stock):
            def update_uri(self, data):
                stock.update_uri(self, data)
                self["own"] = True

        def assign():
            place.Environ = Own

        def put_back():
            place.Environ = stock

        def make_anew():
            del place.Environ
            place.Environ = Own

        patches = [assign, put_back, make_anew]
        if isinstance(vars(place), dict):
            patches += [
                put_back,
                lambda: vars(place).update(Environ=Own),
                put_back,
                lambda: (vars(place).pop("Environ"), vars(place).setdefault("Environ", Own)),
            ]
        patches += [put_back]
        for number, patch in enumerate(patches):
            (before, after), _ = self.seen_after(dialect, patch, module)
            is_own = number % 2 == 0
            self.assertEqual((not is_own, is_own), ("own" in before, "own" in after), number)

    def in_an_object(self, dialect):
        """The base module is an object, and the class is found in the object's class."""

        class Module(object):
            Environ = base.Environ
            Start_response = base.Start_response
            config = base.config
            supported_HTTP_command = base.supported_HTTP_command

        self.another_environ(dialect, Module(), Module)

    def test_another_environ_legacy(self):
        self.another_environ("legacy", base, base)

    def test_another_environ_standard(self):
        self.another_environ("standard", base, base)

    def test_in_an_object_legacy(self):
        self.in_an_object("legacy")

    def test_in_an_object_standard(self):
        self.in_an_object("standard")

    def test_the_maker_of_the_input(self):
        """What the stock class calls is looked up each time, as it does itself."""
        stock = base.BytesIO

        def patch():
            base.BytesIO = made

        def made():
            makes.append(1)
            return stock()

        makes = []
        self.seen_after("legacy", patch)
        self.assertEqual([1], makes)

    def test_code_of_environ_legacy(self):
        self.code_of_environ("legacy")

    def test_code_of_environ_standard(self):
        self.code_of_environ("standard")

    def test_code_of_start_response_legacy(self):
        self.code_of_start_response("legacy")

    def test_code_of_start_response_standard(self):
        self.code_of_start_response("standard")

    def test_bases_of_environ_legacy(self):
        self.bases_of_environ("legacy")

    def test_bases_of_environ_standard(self):
        self.bases_of_environ("standard")


if __name__ == "__main__":
    main()
