from fapws.serving import Server as Server, serve as serve
