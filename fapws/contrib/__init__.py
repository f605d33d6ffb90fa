"""Applications, decorators and small libraries on top of the server.

Each module stands alone; deleting this folder leaves a working server.
"""
