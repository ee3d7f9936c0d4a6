# SPDX-License-Identifier: BSD-2-Clause
"""A reference attestation CA: what tools/attestation-ca is made of."""
