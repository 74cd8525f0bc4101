# SPDX-License-Identifier: Apache-2.0
"""Spack recipe.

Not in Spack's own repository: put this folder into one of your own and add it,

    spack repo create ~/pollard-repo pollard_repo
    mkdir -p ~/pollard-repo/packages/pollard && cp packaging/spack/package.py ~/pollard-repo/packages/pollard/
    spack repo add ~/pollard-repo
    spack dev-build -d PATH/OF/THE/SOURCES pollard@main
"""

from spack.package import *


class Pollard(CMakePackage):
    """Explains trained vision networks with layer-wise relevance propagation, prunes the
    components that the explanation calls irrelevant, and measures the accuracy of what is left."""

    license("Apache-2.0")

    # Sources are those that `spack dev-build` is given.
    version("main")

    variant("onednn", default=True, description="Convolutions by oneDNN, several times faster than without")
    variant("scalapack", default=True, description="Eigenvalues of large matrices over all ranks")

    depends_on("c", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi@3.1:")
    depends_on("hdf5@1.10:")
    depends_on("openblas@0.3.10: threads=pthreads")
    depends_on("onednn@2.6:", when="+onednn")
    depends_on("netlib-scalapack", when="+scalapack")
    depends_on("nlopt@2.6:")
    depends_on("libfyaml@0.7.12:")
    depends_on("jansson@2.12:")
    depends_on("libjpeg-turbo")
    depends_on("libpng@1.6:")
    depends_on("zlib-api")
    depends_on("random123")
    depends_on("cmocka@1.1.5:", type="test")

    def cmake_args(self):
        return [
            self.define("POLLARD_TESTS", self.run_tests),
            self.define("POLLARD_ONEDNN", "ON" if self.spec.satisfies("+onednn") else "OFF"),
            self.define("POLLARD_SCALAPACK", "ON" if self.spec.satisfies("+scalapack") else "OFF"),
        ]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        Executable(self.prefix.bin.pollard)("version")
