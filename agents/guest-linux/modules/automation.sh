module_automation() { fail NotSupported 'not there yet'; }
