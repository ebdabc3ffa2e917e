/** Allows everything; can't be read as text, changed or deleted. */
export const rootPolicyName = 'root';
/** Every token has it unless it asks not to. Has a text from the start, which may be changed but not deleted. */
export const defaultPolicyName = 'default';

/** A token may always look at itself, renew itself and give itself up. */
export const defaultPolicyText = `# Allow tokens to look up their own properties
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

# Allow tokens to renew themselves
path "auth/token/renew-self" {
  capabilities = ["update"]
}

# Allow tokens to revoke themselves
path "auth/token/revoke-self" {
  capabilities = ["update"]
}

# Allow a token to ask what it may do
path "sys/capabilities-self" {
  capabilities = ["update"]
}
`;
