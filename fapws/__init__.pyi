from fapws.serving import Server as Server, serve as serve

__version__: str
