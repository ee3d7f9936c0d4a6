// SPDX-License-Identifier: BSD-2-Clause
import helper from './index.cjs';

export const { Authenticator, Events, TpmauthnError, status } = helper;
