module_accounts() { fail NotSupported 'not there yet'; }
