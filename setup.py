"""Only what pyproject.toml cannot say: two folders at the top travel inside the wheel's package.

In a checkout they stay at the top, where people look for them; code looks inside the package first.
"""

from setuptools import find_namespace_packages, setup

INSIDE = {"connector.migrations": "migrations", "connector.webhook_samples": "webhook_samples"}

setup(
    packages=[
        *find_namespace_packages(include=["connector", "connector.*"], exclude=["*.__pycache__"]),
        *INSIDE,
        *(f"{inside}.{name}" for inside, folder in INSIDE.items() for name in find_namespace_packages(folder)),
    ],
    package_dir=INSIDE,
)
