def fuzz(requests, tell):
    return 0
