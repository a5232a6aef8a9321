-- The shop's orders. Loading this file again puts every order back as it was; dates are counted from today.
CREATE SCHEMA IF NOT EXISTS refund_desk;

CREATE TABLE IF NOT EXISTS refund_desk.orders (
  id text PRIMARY KEY,
  customer_name text NOT NULL,
  customer_email text NOT NULL,
  item text NOT NULL,
  paid_usd numeric(10, 2) NOT NULL CHECK (paid_usd > 0),
  delivered_on date NOT NULL,
  -- Refunds that were made before today, outside of this desk.
  refunded_usd numeric(10, 2) NOT NULL DEFAULT 0 CHECK (refunded_usd BETWEEN 0 AND paid_usd)
);

INSERT INTO refund_desk.orders (id, customer_name, customer_email, item, paid_usd, delivered_on) VALUES
  ('RD-0988', 'Priya Nair', 'priya.nair@example.org', 'Desk lamp "Halo"', 42.00, current_date - 74),
  ('RD-1042', 'Anna Keller', 'anna.keller@example.org', 'Stoneware teapot, 0.8 l', 18.50, current_date - 6),
  ('RD-1077', 'Marcus O''Brien', 'm.obrien@example.org', 'Headphones "Quiet One"', 129.00, current_date - 9),
  ('RD-1101', 'Lena Fischer', 'lena.fischer@example.org', 'Reading glasses case', 24.90, current_date - 3),
  ('RD-1107', 'Thomas Beck', 'thomas.beck@example.org', 'Wool blanket', 39.00, current_date - 11)
ON CONFLICT (id) DO UPDATE SET
  customer_name = excluded.customer_name, customer_email = excluded.customer_email, item = excluded.item,
  paid_usd = excluded.paid_usd, delivered_on = excluded.delivered_on, refunded_usd = 0;
